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
    trained one and returns the facts about both. ``read(path, device)`` gives a trained model in
    test mode, ``read_exported(path, device)`` a small one, each with its metadata.
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
    read: Callable
    read_exported: Callable
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
        read=stacked.read_model,
        read_exported=stacked.read_exported,
        evaluate=evaluate_sparse,
        forward=stacked.forward_pass,
        last_layer=stacked.last_layer,
    ),
    "highway": Kind(
        load=Corpus.load,
        trainings={"dense": HighwayTraining, "iss": HighwayTraining},
        export=highway_structures.export_model,
        read=highway.read_model,
        read_exported=highway.read_exported,
        evaluate=highway.evaluate,
        forward=stacked.forward_pass,
        gate_map=None,
    ),
    "characters": Kind(
        load=Corpus.load,
        trainings={"dense": CharacterTraining, "bayes": BayesianCharacterTraining},
        export=export_model,
        read=characters.read_model,
        read_exported=characters.read_exported,
        evaluate=evaluate_characters,
        forward=characters.forward_pass,
    ),
    "text": Kind(
        load=TextCorpus.load,
        trainings={"dense": TextTraining, "bayes": BayesianTextTraining},
        export=export_model,
        read=text_model.read_model,
        read_exported=text_model.read_exported,
        evaluate=evaluate_text,
        forward=text_model.forward_pass,
        gate_map=partial(gate_map, sigmoid=hard_sigmoid),
        last_layer=text_model.last_layer,
    ),
}
