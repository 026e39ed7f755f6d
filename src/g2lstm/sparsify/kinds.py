"""What the kinds of sparse tasks have of their own: corpus, training, export, evaluation, speed."""

from collections.abc import Callable
from typing import NamedTuple

from g2lstm.data.corpus import Corpus
from g2lstm.data.texts import TextCorpus
from g2lstm.lm import stacked
from g2lstm.lm.bayes_train import BayesianTraining
from g2lstm.lm.evaluate import evaluate_sparse
from g2lstm.lm.stacked_train import StackedTraining
from g2lstm.sparsify.export import export_model
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
    over a fixed piece of the test data, to be timed.
    """

    load: Callable
    trainings: dict
    export: Callable
    read: Callable
    read_exported: Callable
    evaluate: Callable
    forward: Callable


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
    ),
    "text": Kind(
        load=TextCorpus.load,
        trainings={"dense": TextTraining, "bayes": BayesianTextTraining},
        export=export_model,
        read=text_model.read_model,
        read_exported=text_model.read_exported,
        evaluate=evaluate_text,
        forward=text_model.forward_pass,
    ),
}
