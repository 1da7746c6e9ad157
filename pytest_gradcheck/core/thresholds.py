"""Every number that decides something, with its meaning and origin.

``Source`` names what a number follows from, ``Measured`` a measurement. ``Chosen`` is a choice, validated by
the sweeps over operators and planted faults; similar numbers would do as well.
"""

from __future__ import annotations

# -- what is allowed and what must be detected -----------------------------------------------------------

#: Relative difference allowed beyond the error bars. Chosen: far above the bars of differences in float64,
#: far below any mistake in a formula.
RTOL = 1e-6

#: The same if a dtype on trial is coarser than float64. Chosen: some thousand roundings of float32.
RTOL_COARSE = 2e-4

#: The same in roundings of the dtype on trial, if that is more. Chosen: a short chain of operations.
RTOL_ROUNDINGS = 8

#: The smallest relative error that a check promises to detect. Chosen: mistyped constants are off by more.
SENSITIVITY = 1e-3

#: The promise is at least this many times the tolerance. Source: smaller errors are allowed.
SENSITIVITY_OVER_RTOL = 2.0

#: Differences of a function that is zero at every step have an error bar of the smallest numbers over the
#: step. No derivative this small is meaningful, so two methods with zero agree once the long ladder confirms
#: it: the short one may have covered only a flat piece. Source: the smallest normal number of float64
#: (2e-308) over the finest step of any scale that occurs in practice.
ZERO_BAR = 1e-250

#: In a thorough look a difference counts beyond this many error bars. Measured: docs/reference/calibration.md
#: has how often one bar holds.
THOROUGH_BARS = 3.0

# -- what rounding explains --------------------------------------------------------------------------

#: Entries below this many roundings of an exact method, relative to the largest of their input, are noise.
#: Chosen: a short sum in another order.
EXACT_NOISE = 8

#: Differences do not resolve entries this far below the largest one next to them: a function that cancels
#: large parts (``1 + erf(x)`` near minus one) is flat or straight there for no reason but rounding. Chosen:
#: some roundings of float64 beyond half of the digits.
MEASURED_NOISE = 1e-9

#: A gradient is pure rounding if no method's is more than this many of its own measured error bars. Chosen:
#: for gradients before a normalisation, which vanish.
NOISE_BARS = 16.0

#: And if it moves the output by at most this many roundings of its value when the input moves by its size.
#: Chosen: as above.
NOISE_ROUNDINGS = 64.0

#: A gradient by hand may be off by what moves the output by at most this many (float64) roundings of its
#: value when the input moves by its size, or by one: beyond 30 a sigmoid is one up to rounding, and the
#: textbook's s · (1 - s), which knows only s, is off by 1e-3 there, and zero from 37 on. Source: the sigmoid.
SATURATED_ROUNDINGS = 64.0

#: A derivative is zero if it moves the output by at most this many roundings of the function's change over a
#: step of one, or of its value. Chosen: as above.
TERM_ROUNDINGS = 64.0

#: Another order of summation rounds differently from the measured one, but not by much more. Chosen: an
#: order of summation is no worse than a few others.
ROUNDING_MARGIN = 4.0

#: Roundings of each entry, added to measured error bars. Chosen: those of the last operations.
LAST_ROUNDINGS = 4

#: Number of coarse runs. A single one may be exact by luck: the weights of a softmax of three numbers sum to
#: exactly one in float32 in two cases of five, and a gradient that is nothing but rounding is then zero.
#: Source: 0.4 to the power of four is 3 in 100.
RUNS = 4

#: A method's own run must reproduce the function's value up to this many roundings of its largest part.
#: Chosen: half of the digits, and more.
REPRODUCED_ROUNDINGS = 1e5

#: And up to this. Source: the lowering takes the root of zero at 1e-200.
REPRODUCED_ROOT = 1e-95

#: A function's value and its oracle's may differ by this many roundings of the largest one next to it, and of
#: its parts. Chosen: a short sum in another order, in the dtype on trial.
VALUE_ROUNDINGS = 16.0

#: Up to this many inputs and outputs a check with an oracle compares every entry from the start. Source: two
#: projections take two backward passes, and the entries one per output.
SMALL_WITH_ORACLE = 1

#: Distance of the second point at which a recording is replayed, in units of the inputs' sizes; the third
#: root of the roundoff if that is more. Chosen: far beyond rounding, and short of most branches.
ELSEWHERE = 1e-4

#: A recording matches the function if its change agrees up to this share. Chosen: the effect of a loop's
#: stopping criterion on such a short step.
ELSEWHERE_SHARE = 0.05

#: And up to this many roundings of the value. Chosen: as for a value that is almost cancelled.
ELSEWHERE_ROUNDINGS = 64.0

#: The same in half precision. Chosen: 64 roundings of bfloat16 are half of the value.
ELSEWHERE_IF_COARSE = 8.0

#: Most entries of a gradient in half precision are off by at least this share of a rounding of the largest.
#: Chosen: a number rounded once, at the end, is off by a third of half a rounding.
SCATTER_IF_COARSE = 0.5

#: The worst entry is off by at most this many roundings of the largest one, or this many times the typical
#: error. Chosen: a backward pass of a few dozen operations in that dtype; an outlier among evenly scattered
#: errors.
WORST_IF_COARSE, SCATTERS = 32.0, 8.0

#: If half precision hides entries of a line through all inputs, this many lines share them. Chosen: each
#: shows half as much noise.
PARTS_IF_COARSE = 4

#: A gradient's own rounding is measured at points this many roundings away. Source: a stable algorithm gives
#: the exact result of inputs that are off by a few roundings (Higham, "Accuracy and Stability of Numerical
#: Algorithms", chapter 1).
NEIGHBOURS = 8.0

#: A gradient is provably wrong if the proven one moves by at most this share of the error when the point
#: moves that much. Chosen: the error is nine tenths real.
STAYS = 0.1

#: Where function values contradict a proven derivative, it is seen in so many entries, and so far away in
#: units of each input's size, whether they are those of the recording. Chosen: the ends of what differences
#: step over, without the steps that noise hides.
FOLLOWED_ENTRIES, FOLLOWED_SCALES = 2, (1e-2, 1e-5)

#: A gradient that differs from the proven one by its own rounding passes up to this share of the largest
#: entry of its input. Chosen: a zero gradient, or one of the wrong sign, is off by more.
ROUNDED_AWAY = 0.5

#: A kernel may be off by this many times the error of plain code in its dtype. Source: the tests of kernel
#: libraries, such as flash-attention's tests/test_flash_attn.py, which allow twice the error of PyTorch code
#: in half precision against float32.
EAGER_FACTOR = 2.0

#: Plus this many roundings of the largest entry. Chosen: the result is rounded once more, and plain code may
#: be exact by luck. Liger-Kernel's tests allow bfloat16 one to ten of them.
EAGER_ROUNDINGS = 2.0

#: Number of far points at which a function is tested for being flat between steps. Chosen: a step between two
#: values is missed once in 128.
FAR_POINTS = 8

#: Their largest distance, in units of each input's size, or of one if that is more. Chosen: beyond zero,
#: where spikes occur, and the next steps of `round`.
FAR_AWAY = 3.0

#: Distance of another point next to each of them. Chosen: a step is between the two about once in 1e8.
NEXT_TO = 1e-8

# -- how much is compared ---------------------------------------------------------------------------

#: Up to this many inputs and outputs ``mode="auto"`` compares every entry from the start; beyond it two
#: random projections come first, whose cost does not grow with the number of entries. Chosen: about where
#: projections begin to be cheaper.
SMALL = 8

#: Largest number of inputs for a first look of few calls. Chosen: a hundredth of one entry among as many is
#: 1e-4 of a projection, three times the bars of float32.
FEW_CALLS_SIZE = 10_000

#: Up to this many inputs and outputs doubt is settled entry by entry, beyond it by bisection.
#: Chosen: a bound on the time.
ENTRYWISE = 128

#: Up to this many a clearly wrong gradient is compared entry by entry, by the short ladder. Chosen: a bound
#: on the time.
CLEAR = 256

#: How often a large problem is searched for a few wrong entries at a time, before it is undecided. Chosen: a
#: bound on the time.
ROUNDS = 16

#: Number of random projections of a first look. Chosen: two random sums of the same error do not both vanish.
DIRECTIONS = 2

#: Number of wrong entries to search for. Chosen: a message shows no more.
MOST = 4

#: Number of coordinates compared next to a wrong one if calls are the cost. Chosen: enough to distinguish a
#: factor from a slip.
DRAWN_NEXT_TO_IT = 3

#: An input is at the edge of its domain if a line in both directions is shorter than this share of its usual
#: length. Chosen: the promised sensitivity detects one percent of a tenth.
AT_THE_EDGE = 0.1

#: A slope is vague if its uncertainty exceeds this many times the promised sensitivity: another one may
#: resolve its entries. Chosen: the noise of a one-sided fit relative to a two-sided one.
VAGUE = 10.0

#: Share of the way to the edge of a domain that a line takes. Chosen: its points are rounded.
WITHIN = 0.99

#: Share of the way to zero for a line that stays on one side of zero in every input. Chosen: beyond a third
#: the terms omitted from the fit are a thousandth of the slope of a root.
SHORT_OF_ZERO = 0.36

#: Coordinates of each input compared next to the wrong ones, if there are more wrong ones than were searched
#: for. Chosen: enough to distinguish one input from all.
BESIDE_EACH = 2

#: Coordinates of all inputs together compared there. Chosen: enough to distinguish a row from all.
BESIDE = 16

#: A gradient is wrong beyond doubt if its error exceeds this many times the allowed one. Chosen: well beyond
#: any bar.
BEYOND_DOUBT = 10.0

#: Outputs whose changes differ by less than this factor are visible next to each other in a sum. Source: the
#: promised sensitivity.
ALIKE = 1e-3

#: An output whose slope is at most this many of its error bars may not move at all. Chosen: well above one
#: bar of the short ladder.
WAVERING = 30.0

#: The largest cotangent in half precision: it is multiplied by other numbers, up to 65504. Source: the
#: largest number of float16.
MOST_OF_HALF = 1e3

# -- ladders of steps --------------------------------------------------------------------------------

#: Scales of an input that differ by more than this factor get separate ladders. Source: a ladder of three
#: steps covers a factor of 16.
SCALES_APART = 8

#: A short ladder has settled if its error bars are below this share of the largest derivative. Chosen: a
#: tenth of the relative tolerance.
SETTLED = 1e-7

#: A ladder has resolved a slope if the error bar is below this share of it. Source: the promised sensitivity.
SEEN_SLOPE = 1e-3

# -- the second look at a failure ----------------------------------------------------------------------

#: Number of windows finer than the smallest scale, each an eighth of the one before. Source: down to 1e-10 of
#: the scale, where float64 differences have six digits left.
FINER_WINDOWS = 9

#: Numbers of a direction that are printed. Chosen: a line of text.
SHOWN = 6

#: Values in half precision have their widest window at this scale. Source: at a scale of one the rounding of
#: bfloat16 alone makes a bar of five standard errors as wide as half of the slope.
WIDE_IF_COARSE = 8.0

#: If no finer window can confirm one, a window narrower by this factor may. Chosen: they have no step in
#: common.
OTHER_STEPS = 0.6

#: Number of scales whose windows measure the noise. Chosen: down to a ten thousandth, where no kink is near.
NOISE_WINDOWS = 5

#: A constant value is flat if the difference in question would have moved it by this many times its noise.
#: Chosen: far beyond chance, and below what a float32 grain inside of float64 hides.
FLAT = 100.0

#: The scale of a last window before a gradient is called wrong. Source: a window of 1e-9 of the input's size
#: is within the tolerances that solvers stop at, and differences of float64 have seven digits left there.
FINEST = 1e-8

#: A derivative in low precision may be off by this many roundings of values next to it, per size of the
#: input, measured at this many points. Measured: up to seven in the tail of gelu in float32.
ROUNDINGS_OF_VALUES, ROUNDED_POINTS = 8.0, 8

#: Numbers of at most this share of the largest one next to them are negligible. Measured: Broyden's method
#: with a tolerance of 1e-10 leaves up to 4e-8.
NOTHING = 1e-7

#: A window counts if its bar is at most this share of the difference in question.
#: Chosen: a fifth.
TELLING_BAR = 0.2

#: The same where values are in half precision. Chosen: twice as much; the gap must be wider than the bar.
TELLING_IF_COARSE = 0.4

#: A single window shows that a slope is wrong if it differs by this many of its bars. Measured: the residuals
#: of gelu at -8, whose values take a few hundred steps there, make bars that are 1.3 times too narrow in one
#: line of twelve.
BARS_OF_ONE = 3.0

#: The same where values are in half precision. Chosen: less than a telling window has.
BARS_IF_COARSE = 2.0

#: If only rounding may contradict a gradient, values are taken over stretches to either side of the point:
#: the shortest, in units of an input's size, and the ratio of successive ones. Chosen: far below the stairs
#: of most tails.
SHORTEST_STRETCH, STRETCH_GROWTH = 1e-6, 1.15

#: The slope of a stair is the median over this many of the shortest ones. Chosen: few of them contain a jump.
STRETCHES_FOR_A_SLOPE = 8

#: Values leave a stair when they are off its line by this share of its distance from the gradient's line.
#: Chosen: the next jump goes beyond the gradient's line, or back to it.
LEAVES_A_STAIR = 0.25

#: The place where they leave it is found in this many rounds of this many parts. Source: 7 to the power of 8
#: is 6e6.
JUMP_PARTS, JUMP_ROUNDS = 7, 8

#: A jump covers at least this share of the way at once. Source: a smooth function covers the width of the
#: last part.
KEPT_BY_A_JUMP = 0.1

#: Over a stretch of this many times the height of a jump, a right gradient adds up to the change of the
#: values, up to this share. Source: a rounding at either end is two in a thousand, and the sum is equally
#: accurate.
MANY_STAIRS, STAIRS_SHARE = 1000.0, 0.005

#: If the function's range is too small for that, a gradient must still add up to it. Then no stair may be
#: higher than this many times the error over its width, or wider than this share of the input's size. Source:
#: the next jump leads back to the gradient's line, and twenty stairs are not steps of the function.
HEIGHT_OF_STAIRS, WIDTH_OF_STAIRS = 4.0, 0.05

#: Points of the sum, and how often it halves a stretch. Source: a Gauss-Legendre rule is that accurate for
#: exp(-x² / 2) over [-12, 0], and eight halvings find the part of [-600, 0] that moves.
SUM_NODES, HALVINGS = 12, 24

#: Points this close, in units of an input's size, have the gradient of the point itself. Chosen: exp(-x² / 2)
#: at -9 changes by a hundredth over it.
NEXT_TO_STAIRS = 1e-4

#: Stairs are considered if a difference moves the value by at most this over the size of an input, or if
#: values are noisy over it. Chosen: a thousand times the rounding of terms of a million.
ULP_OF_HIDDEN_TERMS = 1e-7

#: Number of disputed entries measured where the function is smooth, and where it is not. Chosen: a bound on
#: the calls; one wrong entry is enough.
SMOOTH_DISPUTES, ROUGH_DISPUTES = 3, 2

#: Number of them measured nearby too. Chosen: as above.
NEARBY_DISPUTES = 2

#: Distances of points nearby, in units of the inputs' scales, at which a gradient is computed again. Chosen:
#: within a few percent a gradient has not changed by much, within a fifth a special value is far away.
NEARBY = (0.2, 0.03, 0.2, 0.03)

#: Windows there extend at most this share of the way back to the point, over `methods.windows.WIDTH`. Chosen:
#: half of the way.
SHORT_OF_THE_POINT = 4.0

#: Distances of points close by at which slopes are measured, until the slope in question is bracketed.
#: Chosen: slopes change by less than a thousandth there, and sixteen points lie on both sides of a tie,
#: except once in 30,000 times.
CLOSE_BY = (1e-4, 1e-3) * 8

#: Quotients of the two steps there may differ by this share before extrapolation.
#: Chosen: the truncation of the wide one where the slope turns within the distance.
CLOSE_CHANGE = 0.05

#: And by the effect of this many roundings of the value. Chosen: those of either value, and one more.
CLOSE_ROUNDINGS = 4.0

#: Number of known slopes there that are needed to contradict a gradient. Chosen: three in four.
CLOSE_FOR_WRONG = 12

#: Number of slopes where the function seems smooth at the point. Chosen: they lie on both sides of a tie 31
#: times in 32.
CLOSE_IF_SMOOTH = 6

#: They converge to the slope at the point if those at a tenth of the distance are closer by this factor.
#: Chosen: the first to the fifth power of the distance; a smaller factor means a missed kink.
COMES_CLOSER = 1e-5, 0.3

#: Number of them that is enough. Chosen: the fewest that lie on two sides.
CLOSE_ENOUGH = 3

#: Steps there, as shares of the distance. Chosen: shorter than the way back to the point in most inputs.
CLOSE_STEPS = (0.02, 0.007)

#: Number of looks nearby that must find a gradient wrong. Source: every failure is confirmed once.
WRONG_NEARBY = 2

#: How much a slope may have changed at the points close by, as a share of the largest of them.
#: Chosen: a few times the distance.
NEARBY_SLACK = 0.005

#: A slope is searched for along a line: from how many points close by, how many times their distance to
#: either side, in how many parts of an interval, and how often the best part is divided again. Chosen: a tied
#: number passes all others, and the last part is a thousandth of the distance.
SOUGHT_FROM, SOUGHT, SOUGHT_PARTS, SOUGHT_ROUNDS = 4, 2.0, 8, 4

# -- what kind of wrong ------------------------------------------------------------------------------

#: Two gradients are equal up to this error. Chosen: above the bars of differences.
SAME_RTOL = 1e-5

#: The same for entries that are small next to the largest one. Chosen: as above.
SAME_ATOL = 1e-8

#: The same for gradients on the engine with one term omitted. Chosen: the engine omits it exactly.
SAME_ATOL_OF_TERMS = 1e-7

#: A factor is round, or minus one, up to this. Chosen: a mistyped constant differs by more.
ROUND_FACTOR = 1e-4

#: Factors up to this, and their inverses, occur in hand-written code. Chosen: dimensions and powers.
LARGEST_FACTOR = 10

#: Errors of at least this share of the largest one are diagnosed first. Chosen: errors a hundred times
#: smaller come from another, mostly minor, mistake.
LED_BY = 0.01

#: An entry counts as right next to wrong ones where it is larger than this share of the largest one.
#: Chosen: the relative tolerance.
VISIBLE_ENTRY = 1e-6

#: Real and imaginary parts that exceed the tolerance by this factor show a conjugate. Chosen: no rounding of
#: a real number is as large.
TELLING_PART = 1e3

#: A value computed in a coarser dtype is off by at most this many of its roundings of the largest one.
#: Chosen: a short chain of operations in that dtype.
COARSE_ROUNDINGS = 16

#: A right number this close to a whole one may be truncated to either neighbour. Chosen: the relative
#: tolerance.
NEARLY_WHOLE = 1e-6

#: And is then truncated by less than this. Source: one, and a rounding.
CUT_BY = 1.5

#: A backward is right in float64 if it is off by at most this share of its row's largest entry. Chosen: the
#: relative tolerance.
RIGHT_IN_DOUBLE = 1e-6

#: Inputs below this share of the largest one are moved away from zero, to see whether that makes it right.
#: Chosen: bounds that keep a division or a logarithm finite are smaller.
TINY_INPUT = 1e-6

#: A gradient in float64 whose largest error is below this share may be right, if an iteration with a stopping
#: criterion computes the function. Chosen: a hundred times the difference between methods that agree;
#: mistakes are larger.
NEARLY_RIGHT = 1e-4

#: Number of wrong rows and columns compared again at another point. Chosen: a bound on the time.
LOOKED_AT_AGAIN = 4

#: Each use of a value costs a backward pass of its own; a function with more of them is not a formula written
#: by hand. Chosen: a bound on the time.
MOST_USES = 64

#: A sensitivity of this and more is not worth suggesting. Source: an error of half of the gradient.
LEAST_SENSITIVITY = 0.5

#: Nor is it promised in a coarse dtype from this on. Source: a gradient that is zero is off by all of it.
LEAST_PROMISE = 1.0
