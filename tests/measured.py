"""Made-up results of the paper in small, whose means are known."""

from gpt1viz.reproduce.results import Bits, Finetuned, ZeroShot

CHANGES = {
    "full": {},
    "no_aux": {"lm_coef": 0.0},
    "no_pretraining": {"n_transfer": -1},
    "lstm": {"model": "lstm"},
}


def tuned(task: str, variant: str, seed: int, validation: float, test: float | None, **changes) -> Finetuned:
    about = {"model": "transformer", "start": "tiny", "n_layer": 3, "n_transfer": 3, "lm_coef": 0.5}
    about |= {"n_train": 200, "n_examples": 200, "precision": "float32", "weights": "w", "data": "d"}
    about |= CHANGES[variant] | changes
    digest = f"{task}-{variant}-{seed}-{sorted(changes.items())}"
    scores = {"metric": "accuracy", "validation": validation, "test": test, "seconds": 60.0}
    return Finetuned(task=task, seed=seed, digest=digest, **about, **scores)


ROWS = [
    *(tuned("a", "full", seed, 0.9, value) for seed, value in enumerate((0.90, 0.80, 0.70))),
    *(tuned("b", "full", seed, 0.9, value) for seed, value in enumerate((0.80, 0.80, 0.80))),
    *(tuned(task, "no_aux", seed, 0.5, 0.4 + seed / 100) for task in "ab" for seed in range(3)),
    *(tuned("a", "no_pretraining", seed, 0.5, 0.45) for seed in range(3)),
    *(tuned("b", "no_pretraining", seed, 0.5, 0.55) for seed in range(2)),
    tuned("a", "lstm", 0, 0.7, 0.7),
]
MORE = [
    *(
        tuned("a", "full", seed, value, value, n_transfer=n)
        for n, value in enumerate((0.6, 0.7, 0.85))
        for seed in range(3)
    ),
    *(tuned("a", "full", seed, 0.8, 0.6, n_examples=50) for seed in range(3)),
    *(tuned("a", "no_pretraining", seed, 0.5, 0.4, n_examples=50) for seed in range(3)),
    *(
        ZeroShot(
            task="a",
            metric="accuracy",
            model=model,
            step=step,
            tokens=4096 * step,
            value=0.5 + step / 100 + lead,
            chance=0.5,
        )
        for model, lead in (("transformer", 0.1), ("lstm", 0.0))
        for step in (0, 2, 8, 32)
    ),
    *(Bits(model="transformer", step=step, tokens=4096 * step, value=4.0 - step / 16) for step in (0, 8, 32)),
    Bits(model="lstm", step=8, tokens=4096 * 8, value=5.0),
    tuned("a", "full", 0, 0.75, 0.75, model="early"),
]
