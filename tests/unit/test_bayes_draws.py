"""The Bayesian word model in training: its draws, replayed in a naive model in float64."""

import pytest
import torch
import torch.nn.functional as F
from kernel_cases import skip_without_native

from g2lstm.cells import kernels
from g2lstm.lm.bayes import BayesianLanguageModel
from g2lstm.sparsify import bayes

WORDS, EMBEDDING, HIDDEN = 23, 6, 11
STEPS, BATCH = 5, 4
PREDICTED = 100  # tokens of the text


def model_of(levels):
    """A model in float32 with other means and deviations than at the start."""
    torch.manual_seed(1)
    model = BayesianLanguageModel(WORDS, [EMBEDDING, HIDDEN, HIDDEN], 0.4, levels=levels)
    with torch.no_grad():
        for value in model.log_sigma.values():
            value.uniform_(-4, -0.5)
        for z in model.groups.values():
            z += 0.3 * torch.randn_like(z)
        for layer in model.lstm:
            layer.bias.uniform_(-1, 1)
    return model.train()


class Replay:
    """The definition: all that is random is μ + σ ∘ ε, with the ε in the order of the model's."""

    def __init__(self, parameters, noises):
        self.parameters, self.noises = parameters, iter(noises)

    def draw(self, name, *shape):
        """Return a draw of what is called ``name``; ``shape`` is that of its noise."""
        mean = self.parameters[name]
        log_sigma = self.parameters[f"log_sigma.{name.replace('.', '_')}"]
        noise = next(self.noises)
        assert noise.shape == (shape or mean.shape)
        return mean + log_sigma.exp() * noise

    def embedding(self, tokens):
        """Return the embedding with one draw of each word that is read; others are not random."""
        name, words = "embedding.weight", tokens.unique()
        mean, log_sigma = self.parameters[name], self.parameters["log_sigma.embedding_weight"]
        noise = torch.zeros_like(mean).index_copy(0, words, next(self.noises))
        return mean + log_sigma.exp() * noise

    def layer(self, k, inputs, h, c, levels):
        """Return the outputs of a layer, one step after the other."""
        w_x, w_h = (self.draw(f"lstm.{k}.weight_{kind}") for kind in ("ih", "hh"))
        z_gates = self.draw(f"groups.gates{k}", BATCH, 4 * HIDDEN) if levels == "wgn" else 1
        z_hidden = self.draw(f"groups.hidden{k}", BATCH, HIDDEN) if levels != "w" else 1
        outputs = []
        for x in inputs:
            before = (x @ w_x.T + h @ w_h.T) * z_gates + self.parameters[f"lstm.{k}.bias"]
            i, f, g, o = before.chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh() * z_hidden
            outputs.append(h)
        return outputs

    def loss(self, tokens, targets, state, levels):
        """Return the cross-entropy per token, and R over ``PREDICTED`` tokens."""
        embedding = self.embedding(tokens)
        z = self.draw("groups.input", BATCH, EMBEDDING) if levels != "w" else 1
        outputs = [embedding[words] * z for words in tokens]
        for k, (h, c) in enumerate(state):
            outputs = self.layer(k, outputs, h, c, levels)
        logits = torch.stack(outputs) @ self.draw("decoder.weight").T
        logits = logits + self.parameters["decoder.bias"]
        assert next(self.noises, None) is None
        nats = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return nats + self.surrogate() / PREDICTED

    def surrogate(self):
        """Return Σ R of all that is random."""
        pairs = [
            (mean, self.parameters[log_sigma])
            for name, mean in self.parameters.items()
            if (log_sigma := f"log_sigma.{name.replace('.', '_')}") in self.parameters
        ]
        return sum(bayes.surrogate(bayes.log_alpha(*pair)).sum() for pair in pairs)


@pytest.mark.parametrize("in_cpp", [True, False], ids=["C++", "calls"])
@pytest.mark.parametrize("levels", ["w", "wn", "wgn"])
def test_loss_and_gradients_are_those_of_the_definition(levels, in_cpp, monkeypatch):
    if in_cpp:
        skip_without_native(torch.float32)
    else:
        monkeypatch.setattr(kernels, "in_cpp", lambda _: False)
    model, noises, randn_like = model_of(levels), [], torch.randn_like

    def recorded(mean):
        noise = randn_like(mean)
        noises.append(noise.double())  # a copy: the draw scales its noise in place
        return noise

    monkeypatch.setattr(torch, "randn_like", recorded)
    tokens, targets = torch.randint(WORDS, (2, STEPS, BATCH))
    state = [tuple(torch.randn(2, BATCH, HIDDEN) * 0.5) for _ in range(2)]
    loss = model.cross_entropy(model(tokens, state)[1], targets)
    loss.backward()
    variables = [model.variable(name) for name in model.random]
    regulariser = bayes.SparseVariationalDropout(variables, PREDICTED)
    regulariser.add_gradient()
    parameters = {
        name: value.detach().double().requires_grad_() for name, value in model.named_parameters()
    }
    state = [tuple(each.double() for each in pair) for pair in state]
    replay = Replay(parameters, noises)
    wanted = replay.loss(tokens, targets, state, levels)
    wanted.backward()
    assert loss.item() + regulariser.penalty().item() == pytest.approx(wanted.item(), rel=1e-6)
    for name, parameter in model.named_parameters():
        ours, theirs = parameter.grad.double(), parameters[name].grad
        assert (ours - theirs).norm() < 1e-5 * theirs.norm(), name
