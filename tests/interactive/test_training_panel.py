"""The training panel: it trains as set, and as a frontend with Colab's ipywidgets drives it."""

import io
import json
import queue
import re
import time

import nbformat
import pytest
from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.kernelspec import KernelSpecManager
from PIL import Image

from lossbook import heads, interactive
from lossbook.interactive import training_panel
from tests.helpers.environments import COLAB, environment, outside
from tests.helpers.toys import toy_dataset
from tools import toc
from tools.book.execute import WIDGET, remove_widgets


@pytest.fixture
def trainer(monkeypatch):
    made = interactive.train_panel(toy_dataset())
    monkeypatch.setattr(
        made, "profile", made.profile._replace(recipe={"epochs": 3, "batch_size": 32})
    )
    made.epochs.value = 3
    return made


def test_the_panel_trains_what_it_is_set_to_and_shows_it(trainer):
    trainer.loss.value, trainer.scale.value = "CosFace", 8
    trainer.margin.value = 0.2
    trainer.go.click()
    assert trainer.go.disabled and not trainer.stop.disabled
    trainer.thread.join()
    assert trainer.run.name == "CosFace(scale=8, margin=0.2)" and len(trainer.run.snapshots) == 3
    assert (
        Image.open(io.BytesIO(trainer.picture.value)).format == "PNG"
        and trainer.picture.layout.display is None
    )
    assert (
        "epoch 3 of 3" in trainer.status.value and trainer.stop.disabled and not trainer.go.disabled
    )


def test_stop_ends_it_after_the_epoch(trainer):
    trainer.epochs.value = 40
    trainer.go.click()
    trainer.stop.click()
    trainer.thread.join()
    assert len(trainer.run.snapshots) == 1
    trainer.epochs.value = 2
    trainer.go.click()  # and it can be started again
    trainer.thread.join()
    assert len(trainer.run.snapshots) == 2


@pytest.mark.parametrize("loss", training_panel.LOSSES)
def test_the_panel_knows_every_loss_and_its_margin(trainer, loss):
    trainer.loss.value = loss
    head = trainer.head()
    assert type(head) is getattr(heads, loss)
    assert trainer.margin.disabled == ("margin" not in head.hyperparameters)
    assert trainer.scale.disabled == ("scale" not in head.hyperparameters)
    if training_panel.LOSSES[loss]:
        low, high, step, start = training_panel.LOSSES[loss]
        assert (trainer.margin.min, trainer.margin.max) == (low, high)
        assert trainer.margin.value == start == head.margin


def test_a_failure_in_the_thread_is_shown(trainer, monkeypatch):
    caught = []
    monkeypatch.setattr("threading.excepthook", caught.append)
    monkeypatch.setattr(trainer, "dataset", None)
    monkeypatch.setattr(trainer, "head", lambda: heads.ArcFace(2, 4))
    trainer.go.click()
    trainer.thread.join()
    assert "AttributeError" in trainer.status.value and not trainer.go.disabled and len(caught) == 1


def test_without_a_kernel_a_sentence_is_left_and_no_widget(trainer, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    trainer._ipython_display_()
    data = [{"text/html": shown[0]._repr_html_()}, shown[1]._repr_mimebundle_()]
    assert WIDGET in data[1]
    outputs = [nbformat.v4.new_output("display_data", data=bundle) for bundle in data]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=outputs)])
    remove_widgets(notebook)
    (left,) = notebook.cells[0].outputs
    assert "needs-kernel" in left.data["text/html"] and "Colab" in left.data["text/html"]
    assert "lossbook-needs-kernel { display: none }" in trainer.status.value


# In a kernel with the versions of Colab, driven by comm messages alone

CELL = """
import ipywidgets, torch
from lossbook import data, interactive
train, test = (
    data.Split(torch.rand(n, 1, 28, 28), torch.arange(n) % 10, data.DIGITS) for n in (300, 100)
)
noise = data.Dataset("noise", train, test)
panel = interactive.train_panel(noise)
panel.epochs.value = 40
print(ipywidgets.__version__)
panel"""


class Frontend:
    """The state of every widget by its name, as a kernel's messages tell it."""

    def __init__(self, client: BlockingKernelClient):
        self.client, self.state, self.shown, self.printed, self.idle = client, {}, [], "", set()

    def run(self, source):
        request = self.client.execute(source)
        self.wait(lambda: request in self.idle)
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
    manager.start_kernel(env=outside(folder, PYTHONPATH=str(toc.ROOT)), cwd=str(folder))
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
