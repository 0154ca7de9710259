"""The playground's losses, gradients and optimiser, run in the browser, against PyTorch's."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossbook import heads, margins
from lossbook.heads.base import MarginHead
from tests.browser.helpers import ROOT
from tools.exports.browser import served

FIELDS = "unit_weight", "unit_embedding", "s", "m1", "m2", "m3"


class AnyHead(MarginHead):
    """Any lengths with any margins and any λ, also those that no head of the library has."""

    def __init__(self, unit_weight, unit_embedding, s, m1, m2, m3, lam=0.0):
        self.unit_weight, self.unit_embedding, self.lam = unit_weight, unit_embedding, lam
        super().__init__(2, 10, s, m1=m1, m2=m2, m3=m3)

    def margin_of(self, cos):
        return (self.lam * cos + margins.combined(cos, self.m1, self.m2, self.m3)) / (1 + self.lam)


def annealed(head, lam):
    head.lam = lam
    return head


# name: head, the same as a setting, λ
CASES = {name: (heads.from_preset(name, 2, 10), row, 0) for name, row in heads.PRESETS.items()}
CASES |= {
    "ArcFace, s = 64, m = 0.5": (heads.ArcFace(2, 10, 64, 0.5), (True, True, 64, 1, 0.5, 0), 0),
    "CosFace, s = 30, m = 0.35": (heads.CosFace(2, 10, 30, 0.35), (True, True, 30, 1, 0, 0.35), 0),
    "SphereFace, m = 4": (
        annealed(heads.SphereFace(2, 10, 4), 2.5),
        (True, False, 1, 4, 0, 0),
        2.5,
    ),
    "L-softmax, m = 3": (annealed(heads.LSoftmax(2, 10, 3), 7.0), (False, False, 1, 3, 0, 0), 7),
    "combined": (
        heads.CombinedMargin(2, 10, 64, 0.9, 0.4, 0.15),
        (True, True, 64, 0.9, 0.4, 0.15),
        0,
    ),
}
CASES |= {
    f"all three, lengths {kept}": (
        AnyHead(*kept, 5, 1.7, 0.6, 0.2, 0.4),
        (*kept, 5, 1.7, 0.6, 0.2),
        0.4,
    )
    for kept in [(False, False), (False, True), (True, False), (True, True)]
}

RUN = """async ([x, weight, labels, setting, lambda, real]) => {
    const { crossEntropy } = await import("/book/playground/head.js");
    const Real = { Float32Array, Float64Array }[real];
    const out = crossEntropy(Real.from(x), Real.from(weight), labels, setting, lambda);
    const texts = Object.entries(out).map(([name, values]) => [name, [...values].map(String)]);
    return Object.fromEntries(texts); }"""


@pytest.fixture(scope="module")
def modules(chromium):
    """A page that can import the modules of book/playground."""
    page = chromium.new_page()
    with served(ROOT) as address:
        page.goto(f"{address}/book/playground/playground.css")
        yield page
    page.close()


def in_the_browser(page, x, weight, labels, setting, lam=0, compute="sound", real="Float64Array"):
    """Losses (N,) and the gradients of their sum in ``x`` and ``weight``, as the page has them."""
    setting = dict(zip(FIELDS, setting)) | {"compute": compute}
    out = page.evaluate(
        RUN, [x.flatten().tolist(), weight.flatten().tolist(), labels.tolist(), setting, lam, real]
    )
    # As text, since NaN and infinity have no JSON; JavaScript prints enough digits to read the same
    # number back.
    losses, dx, dw = (
        torch.tensor([float(v.replace("Infinity", "inf")) for v in out[name]], dtype=torch.float64)
        for name in ("losses", "dEmbeddings", "dWeight")
    )
    return losses, dx.view_as(x), dw.view_as(weight)


def in_torch(loss_of, x, weight):
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    losses = loss_of(x, weight)
    return losses.detach(), *torch.autograd.grad(losses.sum(), (x, weight))


def loss_of_head(head, labels):
    def losses(x, weight):
        return F.cross_entropy(
            torch.func.functional_call(head.double(), {"weight": weight}, (x, labels)),
            labels,
            reduction="none",
        )

    return losses


def samples():
    """All around the circle, at many angles to the class vector, also past every π − m and π/m1."""
    draw = torch.Generator().manual_seed(0)
    angle = torch.linspace(0.01, 2 * math.pi, 40, dtype=torch.float64)
    length = torch.empty(40, dtype=torch.float64).uniform_(0.2, 6, generator=draw)
    x = length[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    return x, torch.randn(10, 2, dtype=torch.float64, generator=draw), torch.arange(40) % 10


@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradients_are_those_of_the_library(modules, name):
    head, setting, lam = CASES[name]
    x, weight, labels = samples()
    theta = F.cosine_similarity(x, weight[labels]).arccos()
    assert theta.min() < 0.2 and theta.max() > math.pi - 0.2, (
        "samples near and far, so that the margin passes π"
    )
    for actual, expected in zip(
        in_the_browser(modules, x, weight, labels, setting, lam),
        in_torch(loss_of_head(head, labels), x, weight),
    ):
        torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_gradients_stay_the_library_s_exactly_along_a_class_vector(modules, name):
    head, setting, lam = CASES[name]
    weight = samples()[1]
    labels = torch.arange(10)
    x = torch.cat([2 * weight, -3 * weight])  # cos θ = 1 and −1
    labels = torch.cat([labels, labels])
    for actual, expected in zip(
        in_the_browser(modules, x, weight, labels, setting, lam),
        in_torch(loss_of_head(head, labels), x, weight),
    ):
        assert expected.isfinite().all()
        # The slope is about 1e7 here and multiplies what rounding left of a zero.
        torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-5)


ALONG = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.6, 0.8], [-1.0, 0.0]]), torch.tensor([0])
ARCFACE = True, True, 16, 1, 0.3, 0


def typed_in(labels):
    def losses(x, weight):
        cos = F.normalize(x) @ F.normalize(weight).T
        target = torch.cos(torch.arccos(cos.clamp(-1, 1)) + 0.3)
        return F.cross_entropy(
            16 * torch.where(F.one_hot(labels, len(weight)).bool(), target, cos),
            labels,
            reduction="none",
        )

    return losses


def test_the_naive_arccos_is_the_formula_as_it_stands(modules):
    x, weight, labels = samples()
    for actual, expected in zip(
        in_the_browser(modules, x, weight, labels, ARCFACE, compute="arccos"),
        in_torch(typed_in(labels), x, weight),
    ):
        torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-9)


def test_the_naive_arccos_has_an_ordinary_loss_and_a_nan_gradient_where_pytorch_has(modules):
    x, weight, labels = ALONG
    loss, dx, _ = in_the_browser(
        modules, x, weight, labels, ARCFACE, compute="arccos", real="Float32Array"
    )
    expected = in_torch(typed_in(labels), x, weight)
    assert loss.isfinite().all() and expected[0].isfinite().all()
    assert dx.isnan().any() and expected[1].isnan().any()
    loss, dx, _ = in_the_browser(modules, x, weight, labels, ARCFACE, real="Float32Array")
    assert loss.isfinite().all() and dx.abs().max() < 1e-5


def test_exp_typed_in_is_right_until_it_overflows(modules):
    x, weight, labels = samples()
    for actual, expected in zip(
        in_the_browser(modules, x, weight, labels, ARCFACE, compute="exp"),
        in_the_browser(modules, x, weight, labels, ARCFACE),
    ):
        torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-9)
    large = True, True, 128, 1, 0.3, 0
    assert (
        in_the_browser(modules, *ALONG, large, compute="exp", real="Float32Array")[1].isnan().any()
    )
    assert in_the_browser(modules, *ALONG, large, real="Float32Array")[1].isfinite().all()


def test_three_steps_of_training_are_pytorch_s(modules):
    images, labels = (
        torch.rand(12, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1)),
        torch.arange(12) % 10,
    )
    setting = dict(zip(FIELDS, ARCFACE)) | {"compute": "sound"}
    starts, ends = modules.evaluate(
        """async ([images, labels, setting]) => {
        const { Network, Parameter, adam, generator } = await import("/book/playground/network.js");
        const { crossEntropy } = await import("/book/playground/head.js");
        const random = generator(3), network = new Network([9, 7, 4, 2], random, Float64Array);
        const weight = new Parameter(20, 1, random, Float64Array);
        const all = [...network.parameters, weight];
        const values = () => all.map(({ value }) => [...value]), starts = values();
        for (let t = 1; t <= 3; t++) {
            const embeddings = network.forward(Float64Array.from(images), 12);
            const { dEmbeddings, dWeight } =
                crossEntropy(embeddings, weight.value, labels, setting);
            network.backward(dEmbeddings, 12);
            weight.gradient = dWeight;
            adam(all, 0.01, t);
        }
        return [starts, values()]; }""",
        [images.flatten().tolist(), labels.tolist(), setting],
    )
    leaky = nn.LeakyReLU(0.1)
    network = nn.Sequential(
        nn.Linear(9, 7), leaky, nn.Linear(7, 4), leaky, nn.Linear(4, 2)
    ).double()
    head = heads.ArcFace(2, 10, 16, 0.3).double()
    parameters = [*network.parameters(), head.weight]
    with torch.no_grad():
        for parameter, start in zip(parameters, starts, strict=True):
            parameter.copy_(as_torch(start, parameter))
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(head(network(images), labels), labels, reduction="sum").backward()
        optimizer.step()
    for parameter, start, end in zip(parameters, starts, ends):
        assert start != end
        torch.testing.assert_close(
            as_torch(end, parameter), parameter.detach(), rtol=1e-6, atol=1e-9
        )


def test_two_losses_start_from_one_network_and_see_the_same_batches(modules):
    start, other_loss, other_seed = modules.evaluate(
        """async () => {
        const { Training } = await import("/book/playground/training.js");
        const train = { images: new Float32Array(64 * 200), labels: Array(200).fill(0), n: 200 };
        return [[true, 0], [false, 0], [true, 1]].map(([unit_weight, seed]) => {
            const training = new Training(train, { unit_weight, seed }, {});
            const weights = training.network.parameters.map(({ value }) => [...value]);
            return [weights, Array.from({ length: 7 }, () => [...training.draw().rows])];
        }); }"""
    )
    assert start == other_loss
    assert start[0] != other_seed[0] and start[1] != other_seed[1]
    assert len({tuple(rows) for rows in start[1]}) == 7


def test_the_angles_are_pytorch_s(modules):
    x, weight, labels = samples()
    angles = modules.evaluate(
        """async ([x, weight, labels]) => {
        const { angleBetween } = await import("/book/playground/head.js");
        return labels.map((label, i) => angleBetween(x, i, weight, label)); }""",
        [x.flatten().tolist(), weight.flatten().tolist(), labels.tolist()],
    )
    expected = F.cosine_similarity(x, weight[labels]).arccos().rad2deg()
    torch.testing.assert_close(
        torch.tensor(angles, dtype=torch.float64), expected, rtol=1e-6, atol=1e-6
    )


def test_every_loss_has_its_name_and_a_sentence(modules):
    rows = {name: dict(zip(FIELDS, row)) for name, row in heads.PRESETS.items()}
    rows["combined"] = dict(zip(FIELDS, (True, True, 64, 0.9, 0.4, 0.15)))
    words = modules.evaluate(
        """async (rows) => {
        const { describeLoss, titleOf } = await import("/book/playground/words.js");
        return Object.fromEntries(Object.entries(rows).map(([name, setting]) =>
            [name, [titleOf(setting), describeLoss(setting)]])); }""",
        rows,
    )
    for name in heads.PRESETS:
        head_class = type(heads.from_preset(name, 2, 10)).__name__
        assert words[name][0].partition(",")[0].replace("-", "").lower() == head_class.lower()
    assert words["ArcFace_v3"][0] == "ArcFace, s = 4, m₂ = 0.3"
    assert "adds 0.3 rad (17.2°)" in words["ArcFace_v3"][1]
    assert "takes 0.2 off the cosine" in words["CosFace_v2"][1]
    assert "by 3: to win in training, that angle must be less than 1/3" in words["A-softmax_v2"][1]
    assert "cos(2θ) in the place of cos θ" in words["L-softmax_v1"][1]
    assert "length of the class vectors" not in words["A-softmax_v1"][1]
    assert "the embedding and of the class vectors counts" in words["softmax"][1]
    assert "each times 1." in words["norm-softmax"][1]
    assert words["combined"][0] == "combined margin, s = 64, m₁ = 0.9, m₂ = 0.4, m₃ = 0.15"
    assert "cos(0.9θ + 0.4) − 0.15 in the place of cos θ" in words["combined"][1]


def as_torch(values, parameter):
    """A parameter of the page in PyTorch's shape.

    The page keeps the weight of a layer as inputs × outputs, PyTorch as outputs × inputs; class
    vectors agree.
    """
    flat = torch.tensor(values, dtype=torch.float64)
    layer = parameter.ndim == 2 and len(parameter) != 10
    return flat.view(parameter.T.shape).T if layer else flat.view_as(parameter)
