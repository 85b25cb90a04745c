"""What stands on top of the model: the joint softmax, the language-model loss, the task head."""

import pytest
import torch
from tiny import CONFIG, N_CTX, T, close, random, random_ids, tiny_model

from gpt1viz.errors import GPT1VizError
from gpt1viz.model import TaskHead, lm_loss


def test_the_joint_softmax_scores_the_position_rows_too():
    model = tiny_model()
    apart, joint = model(random_ids()), model(random_ids(), joint_softmax=True)
    assert joint.logits.shape == (2, T, CONFIG.n_rows + N_CTX)
    assert close(joint.logits[..., : CONFIG.n_rows], apart.logits)
    assert close(joint.logits[..., CONFIG.n_rows :], apart.hidden @ model.positions_embed.weight.T)


def test_lm_loss_is_the_mean_over_each_sequences_own_targets():
    logits, ids = random(2, T, 31), random_ids()
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    log_p = logits.log_softmax(-1)
    losses = [[-float(log_p[b, t, ids[b, t + 1]]) for t in range(T - 1)] for b in range(2)]
    wanted = torch.tensor([sum(losses[0][:2]) / 2, sum(losses[1]) / 4])
    assert close(lm_loss(logits, ids, mask), wanted)
    assert close(lm_loss(logits, ids, mask.float()), wanted)
    assert close(lm_loss(logits, ids), torch.tensor([sum(losses[0]) / 4, sum(losses[1]) / 4]))


def head(kind: str, labels=("a", "b", "c", "d"), pdrop: float = 0.0) -> TaskHead:
    torch.manual_seed(1)
    made = TaskHead(kind, 12, labels, clf_pdrop=pdrop)
    torch.nn.init.normal_(made.clf.bias)
    return made


def test_classification_reads_the_extract_token():
    hidden, extract, made = random(2, T, 12), torch.tensor([4, 1]), head("classification")
    h = torch.stack([hidden[0, 4], hidden[1, 1]])
    assert close(made(hidden, extract), h @ made.clf.weight.T + made.clf.bias)
    assert made(hidden, extract).shape == (2, 4)


def test_similarity_adds_both_orders():
    hidden, extract, made = random(3, 2, T, 12), torch.tensor([[4, 1], [2, 2], [0, 3]]), head("similarity")
    h = torch.stack([hidden[b, 0, i] + hidden[b, 1, j] for b, (i, j) in enumerate(extract.tolist())])
    assert close(made(hidden, extract), h @ made.clf.weight.T + made.clf.bias)


def test_choice_gives_one_score_a_choice():
    hidden, extract, made = random(2, 3, T, 12), torch.tensor([[4, 1, 0], [2, 2, 3]]), head("choice", ())
    scores = made(hidden, extract)
    assert scores.shape == (2, 3)
    assert close(scores[1, 2:], hidden[1, 2, 3] @ made.clf.weight.T + made.clf.bias)


def test_token_classification_scores_every_token():
    hidden, made = random(2, T, 12), head("token")
    assert close(made(hidden), hidden @ made.clf.weight.T + made.clf.bias)
    assert made(hidden).shape == (2, T, 4)


def test_the_choices_of_one_example_share_their_dropout():
    made = head("choice", (), pdrop=0.5)
    same = random(40, 1, 1, 12).expand(40, 3, 1, 12)  # three equal choices
    at = torch.zeros(40, 3, dtype=torch.long)
    scores = made(same, at)
    assert torch.equal(scores[:, 0], scores[:, 1]) and torch.equal(scores[:, 0], scores[:, 2])
    one_example = made(same[:1].expand(40, 3, 1, 12), at)
    assert one_example[:, 0].unique().numel() > 10  # each example its own
    assert torch.equal(made.eval()(same, at), made(same, at))


def test_an_unknown_kind_of_task_raises():
    with pytest.raises(GPT1VizError, match="classification, entailment, similarity, choice, token"):
        TaskHead("ranking", 12)
