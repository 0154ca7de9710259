"""The training panel as a frontend meets it: a kernel with Colab's ipywidgets, driven by comm messages alone."""

import json
import queue
import re
import time

import pytest
from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.kernelspec import KernelSpecManager

from tests.book.test_colab import COLAB, contents, environment, outside

CELL = """
import ipywidgets, torch
from lossbook import data, interactive
noise = data.Dataset("noise", *(data.Split(torch.rand(n, 1, 28, 28), torch.arange(n) % 10, data.DIGITS)
                                for n in (300, 100)))
panel = interactive.train_panel(noise)
panel.epochs.value = 40
print(ipywidgets.__version__)
panel"""


class Frontend:
    """The state of every widget by its name, as a kernel's messages tell it."""

    def __init__(self, client: BlockingKernelClient):
        self.client, self.state, self.shown, self.printed, self.idle = client, {}, [], "", set()

    def run(self, source):
        asked = self.client.execute(source)
        self.wait(lambda: asked in self.idle)
        return self.printed

    def click(self, description):
        name = next(
            name for name, state in self.state.items() if state.get("description") == description
        )
        content = {"comm_id": name, "data": {"method": "custom", "content": {"event": "click"}}}
        self.client.shell_channel.send(self.client.session.msg("comm_msg", content))

    def status(self):
        return " ".join(
            state["value"] for state in self.state.values() if state["_model_name"] == "HTMLModel"
        )

    def disabled(self, description):
        return next(
            state["disabled"]
            for state in self.state.values()
            if state.get("description") == description
        )

    def wait(self, condition, seconds=120):
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, f"waited {seconds} s; the panel says {self.status()!r}"
            try:
                self.take(self.client.get_iopub_msg(timeout=0.5))
            except queue.Empty:
                pass

    def take(self, message):
        content, kind = message["content"], message["msg_type"]
        assert kind != "error", "\n".join(content.get("traceback", []))
        if kind == "status" and content["execution_state"] == "idle":
            self.idle.add(message["parent_header"].get("msg_id"))
        elif kind == "stream":
            self.printed += content["text"]
        elif kind == "display_data":
            self.shown.append(content["data"])
        elif kind == "comm_open":
            self.state[content["comm_id"]] = dict(content["data"]["state"])
        elif kind == "comm_msg" and content["data"]["method"] == "update":
            self.state[content["comm_id"]].update(content["data"]["state"])
            for (name, *_), buffer in zip(
                content["data"].get("buffer_paths", []), message["buffers"]
            ):
                self.state[content["comm_id"]][name] = bytes(buffer)


@pytest.fixture(scope="module")
def frontend(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colab")
    python = environment(folder, [f"{name}=={version}" for name, version in COLAB.items()])
    (folder / "kernels/colab").mkdir(parents=True)
    (folder / "kernels/colab/kernel.json").write_text(
        json.dumps(
            {
                "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "display_name": "colab",
                "language": "python",
            }
        )
    )
    specs = KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
    manager = KernelManager(kernel_name="colab", kernel_spec_manager=specs)
    manager.start_kernel(env=outside(folder, PYTHONPATH=str(contents.ROOT)), cwd=str(folder))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield Frontend(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_the_panel_trains_and_stops_with_colabs_ipywidgets(frontend):
    assert frontend.run(CELL).strip() == COLAB["ipywidgets"]
    note, box = frontend.shown
    assert "needs-kernel" in note["text/html"]
    assert box["application/vnd.jupyter.widget-view+json"]["model_id"] in frontend.state
    assert frontend.disabled("Stop") and not frontend.disabled("Train")
    frontend.click("Train")
    frontend.wait(lambda: re.search(r"ArcFace.*epoch 2 of 40", frontend.status()))
    assert frontend.disabled("Train") and not frontend.disabled("Stop")
    frontend.click("Stop")
    frontend.wait(lambda: frontend.disabled("Stop"))
    assert not frontend.disabled("Train")
    reached = int(re.search(r"epoch (\d+) of 40", frontend.status())[1])
    frontend.printed = ""
    assert int(frontend.run("panel.thread.join(); print(len(panel.run.snapshots))")) == reached < 40
    (picture,) = (
        state for state in frontend.state.values() if state["_model_name"] == "ImageModel"
    )
    assert picture["value"].startswith(b"\x89PNG")
