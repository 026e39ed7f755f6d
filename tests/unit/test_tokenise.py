import pytest

from g2lstm.data.tokenise import detokenise, split_compounds, tokenise


@pytest.mark.parametrize(
    ("language", "plain", "tokens"),
    [
        ("en", 'He said: "I don\'t know."', "He said : &quot; I don &apos;t know . &quot;"),
        ("en", "Mr. Smith paid $3,500 (cash).", "Mr. Smith paid $ 3,500 ( cash ) ."),
        ("de", "Das ist z.B. der 3. Tag, oder?", "Das ist z.B. der 3. Tag , oder ?"),
        ("de", "Größe und Maß", "Größe und Maß"),
    ],
)
def test_tokeniser_agrees_with_moses_and_goes_back(language, plain, tokens):
    assert tokenise([plain], language) == [tokens]
    assert detokenise([tokens], language) == [plain]


def test_tokenised_text_without_escapes_stays_as_it_is():
    lines = ["nun , warum spielt das eine rolle ?", "ein diagramm der pcb-belastung ."]
    assert tokenise(lines, "de") == lines


def test_split_compounds_are_joined_again_whatever_their_case():
    (line,) = split_compounds(["rich-text format - a-b ."])
    assert line == "rich ##AT##-##AT## text format - a ##AT##-##AT## b ."
    assert detokenise([line.lower()], "en") == ["rich-text format - a-b."]


@pytest.mark.parametrize(
    ("line", "split"),
    [
        ("rock-n-roll", "rock ##AT##-##AT## n ##AT##-##AT## roll"),
        ("1-2-3", "1 ##AT##-##AT## 2 ##AT##-##AT## 3"),
        ("Maß-Öl", "Maß ##AT##-##AT## Öl"),
        ("---", "---"),
        ("a--b", "a--b"),
        ("&apos;-x", "&apos;-x"),
        ("a_-_b -x x-", "a_-_b -x x-"),
    ],
)
def test_compounds_are_split_between_letters_and_digits_only(line, split):
    assert split_compounds([line]) == [split]
    assert split_compounds([f"a {line} b"]) == [f"a {split} b"]
