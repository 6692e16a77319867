"""What is one code of both views good for: fusion, transfer, conflicts, lost pace?

The experiments that the lecture on coordinated representations names, after Ngiam et
al. (2011), on left and right halves of digits in the place of sound and video, and on
made sequences with a planted lag.

    python benchmarks/joint_codes.py
    python benchmarks/joint_codes.py --data sequences --sequences 500

Codes are learned without labels, and a LinearSVC of them is trained and tested on other
images. Settings were chosen on the last fifth of the training images of each data set,
by the mean of the six columns of recognition; those of KernelCCA are of
transfer_halves.py. Autoencoder is MultimodalAutoencoder.

Recognition, in percent
-----------------------
both    fusion: both halves in training and test
noisy   the same classifiers, where right halves of test images have noise as large as
        their pixels vary (0 dB); no classifier was trained on noise, and of the codes
        only those of the denoising autoencoder
left, right  cross-modality: codes of one half alone, in training and test
l->r, r->l   shared representation: trained on codes of the first half named, tested on
             those of the second

``pixels`` needs no codes; of both halves it is their concatenation. ``own codes`` are
those of two autoencoders, each of one half; of both halves they are concatenated.
``and pixels`` has the joint code and the pixels side by side.

Conflicts
---------
Classifiers of both halves see a left half of one digit and a right half of another, for
all 90 pairs of digits: how often do they answer with the left one, the right one, a
third? ``commonest`` is the share of the one third digit that is answered most often,
and ``fused`` the number of pairs where this is more often than either of the two.
``one image`` and ``two images`` are controls: right answers for images as they are, and
for halves of two images of one digit.

Below it stand the pairs with the largest share of one third digit, on conflicts of
training images; what is printed is of test images.

Sequences
---------
Three hidden series, each step .8 times the last and noise, are seen through 10 and 8
columns with noise of the deviation named; ``folded`` columns see absolute values, so
that no linear code correlates. Models learn from 2,000 steps in pace. A new sequence
lags by -10 to 10 steps, and the shift at which the codes correlate most is the answer.
``columns`` correlates all pairs of columns in place of codes.

Then sequences of 400 steps fall 5 steps behind in the middle. A window is flagged where
the mean cosine of its codes is below that of 99 % of the windows of another sequence in
pace. ``false`` and ``found`` are the shares of windows flagged before and after, and
``delay`` is the median number of steps from the slip to the end of the first flagged
window, inf where most sequences have none.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.base import clone
from sklearn.svm import LinearSVC

from skcrl import CorrNet, KernelCCA, LinearCCA, MultimodalAutoencoder
from skcrl.datasets import fetch_mnist_halves, load_digits_halves
from skcrl.metrics import common_score, pearson_sum

RECOGNITION = ("both", "noisy", "left", "right", "l->r", "r->l")
CONFLICTS = (
    "one image",
    "two images",
    "left's",
    "right's",
    "third",
    "commonest",
    "fused",
)
# Rows with pixels beside, and with pairs of digits by name.
NAMED = ("Denoising autoencoder", "CorrNet")
LAGS = np.arange(-10, 11)
NOISES = (0.5, 1.0, 2.0)
LENGTHS = (25, 50, 100)
WINDOWS = (10, 20, 40)
SLIP = 5


@dataclass(frozen=True)
class Halves:
    """Both halves of some images, and their digits."""

    left: np.ndarray
    right: np.ndarray
    labels: np.ndarray

    def only(self, rows):
        """The images of these rows."""
        return Halves(self.left[rows], self.right[rows], self.labels[rows])


def load(data):
    """Training and test images."""
    if data == "mnist":
        m = fetch_mnist_halves()
        train = Halves(m.x_train, m.y_train, m.labels_train)
        test = Halves(m.x_test, m.y_test, m.labels_test)
        return train.only(slice(5000)), test.only(slice(5000))
    halves = Halves(*load_digits_halves())
    return halves.only(slice(1000)), halves.only(slice(1000, None))


def digits_methods(epochs):
    """Two-view estimators with one joint code, for 32 pixels and 1,000 images."""
    training = {"lr_schedule": "one_cycle", "weight_decay": 0.0, "batch_size": 50}
    autoencoder = MultimodalAutoencoder(
        20, lr=5e-3, max_epochs=epochs or 60, **training
    )
    corrnet = CorrNet(
        64,
        hidden_layer_sizes=(128,),
        correlation_weight=0.3,
        optimizer="adam",
        max_epochs=epochs or 40,
        **training,
    )
    return {
        "LinearCCA": LinearCCA(8, shrinkage=0.6),
        "KernelCCA": KernelCCA(20, gamma=0.5, reg=1e-3),
        "Autoencoder": autoencoder,
        "Denoising autoencoder": clone(autoencoder).set_params(noise=0.5),
        "CorrNet": corrnet,
    }


def mnist_methods(epochs):
    """The same for 392 pixels and 5,000 images."""
    epochs = epochs or 20
    training = {
        "lr_schedule": "one_cycle",
        "weight_decay": 0.0,
        "standardize": False,
        "batch_size": 100,
        "max_epochs": epochs,
    }
    autoencoder = MultimodalAutoencoder(20, lr=5e-3, **training)
    kernel = {"approximation": "nystroem", "approximation_size": 1000}
    return {
        "LinearCCA": LinearCCA(50, shrinkage=0.3),
        "KernelCCA": KernelCCA(50, gamma=0.03, reg=3e-5, **kernel),
        "Autoencoder": autoencoder,
        "Denoising autoencoder": clone(autoencoder).set_params(noise=0.1),
        "CorrNet": CorrNet(
            64,
            hidden_layer_sizes=(128,),
            correlation_weight=1.0,
            optimizer="adam",
            **training,
        ),
    }


def methods(data, epochs):
    """Those of a data set, after two autoencoders that each see one half."""
    common = {"digits": digits_methods, "mnist": mnist_methods}[data](epochs)
    own = clone(common["CorrNet"]).set_params(terms=("self",), correlation_weight=0.0)
    return {"own codes": own, **common}


@dataclass(frozen=True)
class Code:
    """Codes of both halves together, and of either alone, if there are such."""

    both: Callable
    left: Callable | None = None
    right: Callable | None = None
    in_one_space: bool = True


def codes_of(name, fitted):
    """Rows of the table that come from one fitted estimator, with their codes."""

    def concatenated(left, right):
        return np.hstack(fitted.transform_pair(left, right))

    def with_pixels(left, right):
        return np.hstack([fitted.transform_joint(left, right), left, right])

    own = name == "own codes"
    both = concatenated if own else fitted.transform_joint
    rows = {name: Code(both, fitted.transform, fitted.transform_y)}
    if name in NAMED:
        rows[f"{name}, and pixels"] = Code(with_pixels)
    return rows


def pixels():
    """The row without an estimator. Pixels of two halves have no space in common."""

    def same(view):
        return view

    return Code(lambda left, right: np.hstack([left, right]), same, same, False)


def classifier(codes, labels):
    """The classifier of all protocols."""
    return LinearSVC(random_state=0).fit(codes, labels)


def recognition(code, train, test, noisy):
    """One number for each of RECOGNITION, and the classifier of both halves."""

    def percent(fitted, codes):
        return 100 * fitted.score(codes, test.labels)

    fused = classifier(code.both(train.left, train.right), train.labels)
    row = [
        percent(fused, code.both(test.left, test.right)),
        percent(fused, code.both(test.left, noisy)),
    ]
    if code.left is None:
        return [*row, *[np.nan] * 4], fused
    from_left = classifier(code.left(train.left), train.labels)
    from_right = classifier(code.right(train.right), train.labels)
    left, right = code.left(test.left), code.right(test.right)
    row += [percent(from_left, left), percent(from_right, right)]
    if not code.in_one_space:
        return [*row, np.nan, np.nan], fused
    return [*row, percent(from_left, right), percent(from_right, left)], fused


def answers(code, fused, images, each):
    """Shares [a, b, c] of answers c to left halves of a with right halves of b."""
    rng = np.random.default_rng(0)
    rows = [
        [rng.choice(np.flatnonzero(images.labels == digit), each) for digit in pair]
        for pair in np.ndindex(10, 10)
    ]
    lefts, rights = np.moveaxis(rows, 1, 0).reshape(2, -1)
    found = fused.predict(code.both(images.left[lefts], images.right[rights]))
    one_hot = np.eye(10)[found].reshape(10, 10, each, 10)
    return one_hot.mean(axis=2)


def of_neither(shares):
    """The shares of digits that are neither the left half's nor the right half's."""
    thirds = shares.copy()
    digits = np.arange(10)
    thirds[digits, :, digits] = 0
    thirds[:, digits, digits] = 0
    return thirds


def conflicts(both, shares):
    """One number for each of CONFLICTS."""
    digits = np.arange(10)
    differ = ~np.eye(10, dtype=bool)
    lefts = shares[digits, :, digits]
    rights = shares[:, digits, digits]
    thirds = of_neither(shares)
    commonest = thirds.max(axis=2)
    is_fused = commonest > np.maximum(lefts, rights)
    return [
        both,
        100 * lefts.diagonal().mean(),
        *(
            100 * share[differ].mean()
            for share in (lefts, rights, thirds.sum(axis=2), commonest)
        ),
        is_fused[differ].sum(),
    ]


def largest_thirds(shares, count=3):
    """Pairs (a, b) with the third digit c that they are taken for most often."""
    thirds = of_neither(shares)
    thirds[np.eye(10, dtype=bool)] = 0
    best = thirds.max(axis=2)
    order = np.argsort(best, axis=None)[::-1][:count]
    pairs = np.column_stack(np.unravel_index(order, best.shape))
    return [(int(a), int(b), int(thirds[a, b].argmax())) for a, b in pairs]


def print_answers(name, chosen_by, shown):
    """Answers to agreeing and conflicting halves, laid out as the lecture's Table 3."""
    print(f"\n{name}: share of answers, %")
    print(f"{'':24}{'a':>8}{'b':>8}{'c':>8}{'others':>8}")
    for a, b, c in largest_thirds(chosen_by):
        for left, right in ((a, a), (b, b), (a, b)):
            row = 100 * shown[left, right][[a, b, c]]
            cells = "".join(f"{cell:8.1f}" for cell in (*row, 100 - row.sum()))
            print(f"{f'left {left}, right {right}':24}{cells}")
        print(f"    a = {a}, b = {b}, c = {c}", flush=True)


def print_table(title, columns, runs):
    """Means of each row and, of several seeds, half its 95 % interval."""
    print(f"\n{title}\n{'':34}" + "".join(f"{column:>13}" for column in columns))
    for name, values in runs.items():
        mean = np.mean(values, axis=0)
        spread = np.zeros_like(mean)
        if len(values) > 1:
            t = stats.t.ppf(0.975, len(values) - 1)
            spread = t * stats.sem(values, axis=0)
        cells = [
            "-" if np.isnan(m) else f"{m:.1f}" + (f" ±{s:.1f}" if s > 0 else "")
            for m, s in zip(mean, spread, strict=True)
        ]
        print(f"{name:34}" + "".join(f"{cell:>13}" for cell in cells), flush=True)


def measure_codes(data, seeds, rows, epochs, each):
    """Recognition and conflicts on halves of the first `rows` images, or of all."""
    train, test = (images.only(slice(rows)) for images in load(data))
    rng = np.random.default_rng(0)
    deviation = np.sqrt(test.right.var(axis=0).mean())
    noisy = test.right + deviation * rng.standard_normal(test.right.shape)
    print(
        f"\n{data}: {len(train.labels)} training images, {len(test.labels)} of test, "
        f"{seeds} seeds, noise of deviation {deviation:.2f}"
    )
    recognised, in_conflict, chosen_by, shown = {}, {}, {}, {}

    def note(name, code):
        row, fused = recognition(code, train, test, noisy)
        recognised.setdefault(name, []).append(row)
        shares = answers(code, fused, test, each)
        in_conflict.setdefault(name, []).append(conflicts(row[0], shares))
        chosen_by.setdefault(name, []).append(answers(code, fused, train, each))
        shown.setdefault(name, []).append(shares)

    note("pixels", pixels())
    for name, estimator in methods(data, epochs).items():
        params = estimator.get_params()
        is_random = "max_epochs" in params or params.get("approximation") is not None
        for seed in range(seeds if is_random else 1):
            if is_random:
                estimator = clone(estimator).set_params(random_state=seed)
            fitted = estimator.fit(train.left, train.right)
            for row, code in codes_of(name, fitted).items():
                note(row, code)
    print_table("Recognition, %", RECOGNITION, recognised)
    print_table("Conflicts, %, and number of 90 pairs", CONFLICTS, in_conflict)
    for name in NAMED:
        print_answers(
            name, np.mean(chosen_by[name], axis=0), np.mean(shown[name], axis=0)
        )


def hidden_series(n, rng):
    """Three independent series of variance 1."""
    series = rng.standard_normal((n, 3))
    for t in range(1, n):
        series[t] = 0.8 * series[t - 1] + 0.6 * series[t]
    return series


@dataclass(frozen=True)
class World:
    """How both views see the hidden series."""

    x_mixing: np.ndarray
    y_mixing: np.ndarray
    noise: float
    is_folded: bool

    def views(self, steps, y_steps, rng):
        """Noisy columns of x at `steps` of the series, and of y at `y_steps`."""
        start = min(steps.min(), y_steps.min())
        series = hidden_series(max(steps.max(), y_steps.max()) - start + 1, rng)
        x_seen, y_seen = series[steps - start], series[y_steps - start]
        if self.is_folded:
            y_seen = np.abs(y_seen)
        return tuple(
            seen @ mixing + self.noise * rng.standard_normal((len(seen), width))
            for seen, mixing, width in (
                (x_seen, self.x_mixing, 10),
                (y_seen, self.y_mixing, 8),
            )
        )

    def in_pace(self, n, rng):
        """Synchronous views of n steps."""
        steps = np.arange(n)
        return self.views(steps, steps, rng)


def total_of_columns(x, y):
    """Sum of all absolute correlations of a column of x with one of y."""
    table = np.corrcoef(x.T, y.T)[: x.shape[1], x.shape[1] :]
    return np.abs(table).sum()


def lag_of(x, y, total=pearson_sum):
    """Steps that y is behind x: the shift at which they correlate most."""
    n = len(x)
    totals = [
        total(x[max(0, -lag) : n - max(0, lag)], y[max(0, lag) : n - max(0, -lag)])
        for lag in LAGS
    ]
    return LAGS[np.argmax(totals)]


def moving_mean(values, window):
    """Mean of each run of `window` values."""
    sums = np.cumsum(np.r_[0.0, values])
    return (sums[window:] - sums[:-window]) / window


def in_step(fitted, views):
    """How alike the two codes of each step are."""
    return common_score(*fitted.transform_pair(*views), kind="cosine")


def exact_finds(world, fitted, n, count):
    """Share of sequences of n steps whose lag is found, in percent."""
    rng = np.random.default_rng(n)
    found = 0
    for _ in range(count):
        lag = rng.choice(LAGS)
        steps = np.arange(n)
        views = world.views(steps, steps - lag, rng)
        found += lag == (
            lag_of(*views, total_of_columns)
            if fitted is None
            else lag_of(*fitted.transform_pair(*views))
        )
    return 100 * found / count


def slips_found(world, fitted, window, count):
    """False and right alarms, in percent, and the median delay in steps."""
    rng = np.random.default_rng(window)
    in_pace = moving_mean(in_step(fitted, world.in_pace(2000, rng)), window)
    threshold = np.quantile(in_pace, 0.01)
    steps, slip = np.arange(400), 200
    y_steps = np.where(steps < slip, steps, steps - SLIP)
    false, found, delays = [], [], []
    for _ in range(count):
        scores = in_step(fitted, world.views(steps, y_steps, rng))
        flags = moving_mean(scores, window) < threshold
        false.append(flags[: slip - window + 1].mean())
        found.append(flags[slip:].mean())
        late = np.flatnonzero(flags[slip - window + 1 :])
        delays.append(late[0] + 1 if late.size else np.inf)
    return 100 * np.mean(false), 100 * np.mean(found), np.median(delays)


def measure_sequences(count, steps):
    """Planted lags, and where two sequences fall out of pace."""
    mixing = np.random.default_rng(0)
    mixings = mixing.standard_normal((3, 10)), mixing.standard_normal((3, 8))
    lags, slips = {}, {}
    for is_folded in (False, True):
        for noise in NOISES:
            world = World(*mixings, noise, is_folded)
            views = world.in_pace(steps, np.random.default_rng(1))
            setting = f"{'folded' if is_folded else 'mixed'}, noise {noise:g}, "
            for name, estimator in {
                "columns": None,
                "LinearCCA": LinearCCA(3),
                "KernelCCA": KernelCCA(3),
            }.items():
                fitted = estimator and estimator.fit(*views)
                lags[setting + name] = [
                    [exact_finds(world, fitted, n, count) for n in LENGTHS]
                ]
                if fitted and is_folded == (name == "KernelCCA"):
                    slips[setting + name] = [
                        np.ravel(
                            [slips_found(world, fitted, w, count) for w in WINDOWS]
                        )
                    ]
    title = f"Lags found exactly, % of {count} sequences of so many steps (chance 4.8)"
    print_table(title, LENGTHS, lags)
    columns = [f"{what} {w}" for w in WINDOWS for what in ("false", "found", "delay")]
    print_table(
        f"A slip of {SLIP} steps, {count} sequences, windows of "
        + ", ".join(map(str, WINDOWS)),
        columns,
        slips,
    )


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = ("digits", "mnist", "sequences")
    parser.add_argument("--data", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--seeds", type=int, default=3, help="of the networks")
    parser.add_argument("--sequences", type=int, default=100, help="for each row")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, for a test")
    args = parser.parse_args(argv)
    rows, epochs, each, steps = (
        (200, 1, 5, 300) if args.quick else (None, None, 100, 2000)
    )
    for data in args.data:
        if data == "sequences":
            measure_sequences(args.sequences, steps)
        else:
            measure_codes(data, args.seeds, rows, epochs, each)


if __name__ == "__main__":
    main()
