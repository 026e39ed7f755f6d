"""What the kinds of sparse tasks have of their own: corpus, training, export, evaluation, speed."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from g2lstm.data.corpus import Corpus
from g2lstm.data.texts import TextCorpus
from g2lstm.lm import characters, highway, stacked
from g2lstm.lm.bayes_train import BayesianTraining
from g2lstm.lm.characters_train import BayesianCharacterTraining, CharacterTraining
from g2lstm.lm.chunks import evaluate_characters
from g2lstm.lm.evaluate import evaluate_sparse
from g2lstm.lm.highway_train import HighwayTraining
from g2lstm.lm.stacked_train import StackedTraining
from g2lstm.sparsify import highway as highway_structures
from g2lstm.sparsify.export import export_model
from g2lstm.sparsify.gate_map import gate_map, hard_sigmoid
from g2lstm.tasks import SPARSE
from g2lstm.text import model as text_model
from g2lstm.text.evaluate import evaluate as evaluate_text
from g2lstm.text.train import BayesianTextTraining, TextTraining


class Kind(NamedTuple):
    """How tasks of one kind are trained and evaluated.

    ``load(path)`` reads a corpus. ``trainings``: method of a job -> class of its training, made of
    (complete job, corpus, folder, device). ``export(model, output)`` writes the small model of a
    trained one and returns the facts about both. ``empty(arrays)`` makes a model to fill, see
    :mod:`g2lstm.sparsify.models`.
    ``evaluate(model, corpus, settings)`` returns metrics by split, where ``settings`` is the
    section ``evaluation``. ``forward(model, corpus)`` returns a function that runs ``model`` once
    over a fixed piece of the test data, to be timed. ``gate_map(arrays)``, of an exported model's
    arrays, says what is left of its LSTM gates; None for a kind without. ``last_layer(model,
    corpus, steps, count)`` gives what :func:`g2lstm.sparsify.lags.gradient_norms` takes, for
    windows of the validation data.
    """

    load: Callable
    trainings: dict
    export: Callable
    empty: Callable
    evaluate: Callable
    forward: Callable
    gate_map: Callable | None = gate_map
    last_layer: Callable | None = None


def kind_of(task):
    """Return the :class:`Kind` of a sparse task."""
    return KINDS[SPARSE[task]]


KINDS = {
    "words": Kind(
        load=Corpus.load,
        trainings={
            "dense": StackedTraining,
            "pruning": StackedTraining,
            "bayes": BayesianTraining,
        },
        export=export_model,
        empty=stacked.empty_model,
        evaluate=evaluate_sparse,
        forward=stacked.forward_pass,
        last_layer=stacked.last_layer,
    ),
    "highway": Kind(
        load=Corpus.load,
        trainings={"dense": HighwayTraining, "iss": HighwayTraining},
        export=highway_structures.export_model,
        empty=highway.empty_model,
        evaluate=highway.evaluate,
        forward=stacked.forward_pass,
        gate_map=None,
    ),
    "characters": Kind(
        load=Corpus.load,
        trainings={"dense": CharacterTraining, "bayes": BayesianCharacterTraining},
        export=export_model,
        empty=characters.empty_model,
        evaluate=evaluate_characters,
        forward=characters.forward_pass,
    ),
    "text": Kind(
        load=TextCorpus.load,
        trainings={"dense": TextTraining, "bayes": BayesianTextTraining},
        export=export_model,
        empty=text_model.empty_model,
        evaluate=evaluate_text,
        forward=text_model.forward_pass,
        gate_map=partial(gate_map, sigmoid=hard_sigmoid),
        last_layer=text_model.last_layer,
    ),
}
