"""Tests of the probe: the plugin contract, and its own behaviour."""

from my_plugin.probe import MyPlugin, score_items

from factory.testing import build_conformance_suite

test_conforms = build_conformance_suite("my_plugin")


class ShortWords:
    """A decoder that finds a word the likelier, the shorter it is."""

    def tokenizer(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}

    def compute_choice_logprobs(self, prompts: list[list[int]], choices: list[list[list[int]]]) -> list[list[float]]:
        return [[-float(len(word)) for word in words] for words in choices]


def test_the_word_that_goes_on_stands_first() -> None:
    assert next(MyPlugin().list_items(["one", "two", "three", "four", "five"])) == (
        "one, two,", [" three", " four", " five"]
    )


def test_a_model_is_right_where_the_right_word_is_the_likeliest() -> None:
    items = [
        ("numbers", "one, two,", [" six", " seven", " eleven"]), ("numbers", "one, two,", [" three", " ten", " six"]),
    ]
    assert score_items(ShortWords(), items) == [1.0, 0.0]
