"""Heads under torch.func, torch.compile, torch.export and inference mode."""

import pytest
import torch
from torch.func import functional_call, grad, hessian, jacrev, jvp, vmap

from lossbook import heads
from lossbook.heads import fused

D, C, N = 5, 7, 6
MAKE = {
    "Softmax": heads.Softmax,
    "NormSoftmax": lambda d, c: heads.NormSoftmax(d, c, scale=16),
    "LSoftmax": heads.LSoftmax,
    "SphereFace": heads.SphereFace,
    "CosFace": lambda d, c: heads.CosFace(d, c, scale=16),
    "ArcFace": lambda d, c: heads.ArcFace(d, c, scale=16),
    "CombinedMargin": lambda d, c: heads.CombinedMargin(d, c, 16, 1.2, 0.1, 0.1),
    "SubCenterArcFace": lambda d, c: heads.SubCenterArcFace(d, c, scale=16),
    "SphereFace2": lambda d, c: heads.SphereFace2(d, c, scale=16),
}


def problem(name, d=D, c=C, n=N):
    torch.manual_seed(0)
    head = MAKE[name](d, c).double()
    x = torch.randn(n, d, dtype=torch.float64)
    return head, x, torch.randint(0, c, (n,))


@pytest.mark.parametrize("name", MAKE)
def test_torch_func_gives_autograd_s_derivatives(name):
    head, x, labels = problem(name)
    module = heads.WithLoss(None, head)
    parameters = {key: value.detach() for key, value in module.named_parameters()}

    def loss(parameters, x, labels):
        return functional_call(module, parameters, (x, labels))

    def of_x(x):
        return head.loss(x, labels)

    leaf = x.clone().requires_grad_()
    expected = torch.autograd.grad(of_x(leaf), leaf)[0]
    torch.testing.assert_close(jacrev(of_x)(x), expected)
    torch.testing.assert_close(grad(loss, argnums=1)(parameters, x, labels), expected)
    tangent = torch.ones_like(x)
    torch.testing.assert_close(jvp(of_x, (x,), (tangent,))[1], (expected * tangent).sum())
    torch.testing.assert_close(hessian(of_x)(x), torch.autograd.functional.hessian(of_x, x))
    per_sample = vmap(grad(loss), (None, 0, 0))(parameters, x[:, None], labels[:, None])
    for i in range(N):
        single = torch.autograd.grad(head.loss(x[i : i + 1], labels[i : i + 1]), head.weight)[0]
        torch.testing.assert_close(per_sample["head.weight"][i], single)


def test_chunk_and_sample_under_a_transform_are_the_same_loss():
    head, x, labels = problem("ArcFace")
    for ways in ({"chunk": 2}, {"sample": 0.99}):
        of_x = lambda x, ways=ways: head.loss(x, labels, **ways)  # noqa: E731
        leaf = x.clone().requires_grad_()
        expected = torch.autograd.grad(of_x(leaf), leaf)[0]
        torch.testing.assert_close(grad(of_x)(x), expected)


@pytest.mark.parametrize("d, c, n", [(D, C, N), (64, 2500, 32)])
@pytest.mark.parametrize("name", MAKE)
def test_inference_mode_accepts_what_no_grad_does(name, d, c, n):
    head, x, labels = problem(name, d, c, n)
    with torch.no_grad():
        expected = head.loss(x, labels)
    with torch.inference_mode():
        torch.testing.assert_close(head.loss(x, labels), expected)
        torch.testing.assert_close(head.loss(x.clone(), labels.clone()), expected)
    if name not in ("Softmax", "SubCenterArcFace") and c > C:
        assert fused.is_faster(head, x, labels)


@pytest.mark.parametrize("name", MAKE)
def test_the_prediction_can_be_exported_for_any_batch(name):
    head, x, _ = problem(name)
    any_batch = {"x": {0: torch.export.Dim("N", min=2)}}
    exported = torch.export.export(head.eval(), (x,), dynamic_shapes=any_batch).module()
    torch.testing.assert_close(exported(x[:3]), head(x[:3]))


@pytest.mark.parametrize("name", ["Softmax", "ArcFace", "SphereFace"])
def test_a_training_step_compiles_without_graph_breaks(name):
    head, x, labels = problem(name)
    torch._dynamo.reset()
    compiled = torch.compile(head.loss, backend="aot_eager", fullgraph=True)
    for options in ({}, {"label_smoothing": 0.1}):
        x = x.detach().requires_grad_()
        inputs = [x, head.weight]
        torch.testing.assert_close(
            torch.autograd.grad(compiled(x, labels, **options), inputs),
            torch.autograd.grad(head.loss(x, labels, **options), inputs),
        )
    torch._dynamo.reset()


@pytest.mark.parametrize("name", ["AdaCos", "Contrastive", "Triplet", "Range", "Marginal"])
def test_what_depends_on_numbers_in_a_tensor_is_no_single_graph(name):
    """As the FAQ says; a head that learns it should leave that sentence."""
    model = heads.WithLoss(None, getattr(heads, name)(8, 4))
    x, labels = torch.randn(12, 8), torch.arange(12) % 4
    assert model(x, labels).isfinite()
    torch.compiler.reset()
    with pytest.raises(Exception, match="(?i)data-dependent|unsupported|graph|item"):
        torch.compile(model, fullgraph=True, backend="eager")(x, labels)
