"""A head on two ranks, in DistributedDataParallel: the gradients of one process, or an error."""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from lossbook import heads
from tests.helpers.processes import run_ranks

D, C, N = 6, 5, 8
WRONG_WAYS = {
    "the backbone alone": lambda head, parallel, x, labels: head.loss(x, labels),
    "past the module": lambda head, parallel, x, labels: parallel.module.loss(x, labels),
    "its logits": lambda head, parallel, x, labels: head(x, labels),
    "a second loss": lambda _, __, x, labels: heads.Center(D, C).double().loss(x, labels),
    "class vectors as anchors": lambda _, __, x, labels: (
        heads.ProxyAnchor(D, C).double().loss(x, labels)
    ),
    "binary problems": lambda _, __, x, labels: heads.SphereFace2(D, C).double().loss(x, labels),
}


def model():
    torch.manual_seed(0)
    return heads.WithLoss(nn.Linear(3, D), heads.ArcFace(D, C, scale=16)).double()


def batch():
    random = torch.Generator().manual_seed(1)
    images = torch.randn(N, 3, dtype=torch.float64, generator=random)
    return images, torch.randint(0, C, (N,), generator=random)


def gradients(module):
    return [parameter.grad.clone() for parameter in module.parameters()]


def work(path):
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    images, labels = (part.chunk(2)[rank] for part in batch())
    results = {}
    for key, options in (("loss", {}), ("smoothed", {"label_smoothing": 0.1}), ("chunk", {})):
        whole = model()
        chunk = {"chunk": 2} if key == "chunk" else {}
        parallel = DistributedDataParallel(whole)
        parallel(images, labels, **options, **chunk).backward()
        results[key] = gradients(whole)
    whole = model()
    parallel = DistributedDataParallel(whole.head)
    x = whole.backbone(images)
    F.cross_entropy(parallel(x, labels), labels).backward()
    results["logits"] = gradients(whole.head)
    for key, call in WRONG_WAYS.items():
        try:
            call(whole.head, parallel, x, labels)
        except RuntimeError as error:
            results[key] = str(error)
    with torch.no_grad():
        results["validation"] = whole.head.loss(x, labels)
    whole.head.gradients_are_shared = True
    results["summed by hand"] = whole.head.loss(x, labels).detach()
    torch.save(results, f"{path}/{rank}.pt")
    dist.destroy_process_group()


def test_two_ranks_have_the_gradients_of_one_process_or_an_error(tmp_path):
    for exit_code, stderr in run_ranks(2, work, tmp_path):
        assert exit_code == 0, stderr
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    images, labels = batch()
    for key, options in (("loss", {}), ("smoothed", {"label_smoothing": 0.1}), ("chunk", {})):
        single = model()
        x = single.backbone(images)
        F.cross_entropy(single.head(x, labels), labels, **options).backward()
        for rank in ranks:
            torch.testing.assert_close(rank[key], gradients(single))
            if key == "loss":
                torch.testing.assert_close(rank["logits"], gradients(single.head))
    for rank in ranks:
        for key in WRONG_WAYS:
            assert "heads.WithLoss(backbone, head)" in rank[key]
        torch.testing.assert_close(rank["validation"], rank["summed by hand"])


def test_without_a_backbone_it_takes_embeddings_and_without_labels_it_predicts():
    torch.manual_seed(0)
    head, x, labels = heads.CosFace(D, C), torch.randn(N, D), torch.randint(0, C, (N,))
    module = heads.WithLoss(None, head)
    torch.testing.assert_close(module(x, labels, reduction="none"), F.cross_entropy(
        head(x, labels), labels, reduction="none"
    ))  # fmt: skip
    assert torch.equal(module(x), head(x))
