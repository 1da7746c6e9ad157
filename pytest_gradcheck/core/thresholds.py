"""Every number that decides something, each with what it decides and where it comes from.

``Source`` is where a number follows from, ``Measured`` where it was measured. ``Chosen`` is a choice: the
sweeps over operators and the planted faults hold it, and a number near it would do as well.
"""

from __future__ import annotations

# -- what is allowed and what must be seen -----------------------------------------------------------

#: Relative difference that is allowed beyond the error bars. Chosen: far above the bars of differences in
#: float64, far below any mistake in a formula.
RTOL = 1e-6

#: The same where a dtype on trial is coarser than float64. Chosen: some thousand roundings of float32.
RTOL_COARSE = 2e-4

#: The same in roundings of the dtype on trial, if that is more. Chosen: a short chain of operations.
RTOL_ROUNDINGS = 8

#: The smallest relative error that a check promises to see. Chosen: constants are mistyped by more.
SENSITIVITY = 1e-3

#: The promise is at least so many times the tolerance. Source: an error as large as it is allowed.
SENSITIVITY_OVER_RTOL = 2.0

#: Differences of a function that is zero at every step have an error bar of the smallest numbers over the
#: step. No derivative as small as this one means anything, so two methods that say zero agree, once the long
#: ladder says so: on the short one a flat piece may be all that was seen. Source: the smallest normal number
#: of float64 (2e-308) over the finest step of any scale that is met in practice.
ZERO_BAR = 1e-250

#: A difference counts where it is outside of so many error bars of a thorough look. Measured:
#: docs/reference/calibration.md has how often one bar holds.
THOROUGH_BARS = 3.0

# -- what rounding explains --------------------------------------------------------------------------

#: Entries below so many roundings of an exact method, beside the largest one of their input, are noise.
#: Chosen: a short sum in another order.
EXACT_NOISE = 8

#: Differences say nothing of entries this far below the largest one beside them: a function that cancels
#: large parts (``1 + erf(x)`` near minus one) is flat or straight there for no reason but rounding.
#: Chosen: some roundings of float64 beyond half of the digits.
MEASURED_NOISE = 1e-9

#: A gradient is nothing but rounding where no method's is more than so many of its own measured error bars.
#: Chosen: for gradients before a
#: normalisation, which vanish.
NOISE_BARS = 16.0

#: And where it would move the output by no more than so many roundings of its value when the input moves by
#: its size. Chosen: as above.
NOISE_ROUNDINGS = 64.0

#: A gradient by hand is not blamed for what moves the output by no more than so many roundings (of float64)
#: of its value when the input moves by its size, or by one: beyond 30 a sigmoid is one but for rounding, and
#: the textbook's s · (1 - s), of which s is all that is known, is off by 1e-3 there, and zero from 37 on.
#: Source: the sigmoid.
SATURATED_ROUNDINGS = 64.0

#: A derivative is zero where it moves the output by no more than so many roundings of what the function moves
#: by over a step of one, or of its value. Chosen: as above.
TERM_ROUNDINGS = 64.0

#: Another order of summation rounds differently from the measured one, but not by much more. Chosen: an
#: order of summation is no worse than a few others.
ROUNDING_MARGIN = 4.0

#: Roundings of each entry that are added to measured error bars. Chosen: those of the last operations.
LAST_ROUNDINGS = 4

#: Coarse runs. One alone may be exact by luck: the weights of a softmax of three numbers sum to exactly
#: one in float32 in two cases of five, and a gradient that is nothing but rounding is then zero.
#: Source: 0.4 to the power of four is 3 in 100.
RUNS = 4

#: A method's own run reproduces the function's value up to so many roundings of its largest part.
#: Chosen: half of the digits, and more.
REPRODUCED_ROUNDINGS = 1e5

#: And up to this. Source: the lowering takes the root of zero at 1e-200.
REPRODUCED_ROOT = 1e-95

#: A function's value and that of its oracle differ by no more than so many roundings of the largest one
#: beside it, and of its parts. Chosen: a short sum in another order, in the dtype on trial.
VALUE_ROUNDINGS = 16.0

#: Up to this many inputs and outputs a check with an oracle looks at every entry from the start. Source: two
#: projections ask for two backward passes, and the entries for one per output.
SMALL_WITH_ORACLE = 1

#: A recording is replayed at a second point so far away, in units of the inputs' sizes, or by the third root
#: of the roundoff if that is more. Chosen: far beyond rounding, and short of most branches.
ELSEWHERE = 1e-4

#: It is the function's where it moves as the function does, but for this share. Chosen: what a loop that runs
#: until it has converged makes of a step as short as this one.
ELSEWHERE_SHARE = 0.05

#: And but for so many roundings of the value. Chosen: as for a value that is all but cancelled.
ELSEWHERE_ROUNDINGS = 64.0

#: The same in half precision. Chosen: 64 roundings of bfloat16 are half of the value.
ELSEWHERE_IF_COARSE = 8.0

#: Most entries of a gradient in half precision are off by at least this share of a rounding of the largest.
#: Chosen: what is rounded once, at the end, is off by a third of half a rounding of its own.
SCATTER_IF_COARSE = 0.5

#: The worst entry is off by no more than so many roundings of the largest one, or so many times what most
#: are. Chosen: a backward pass of a few dozen operations in that dtype; far out among such as scatter evenly.
WORST_IF_COARSE, SCATTERS = 32.0, 8.0

#: Where half precision hides entries of a line through all inputs, so many lines share them.
#: Chosen: each shows half as much noise.
PARTS_IF_COARSE = 4

#: The own rounding of a gradient is measured at points so many roundings away. Source: a stable algorithm
#: gives the exact result of inputs that are off by a few roundings (Higham, "Accuracy and Stability of
#: Numerical Algorithms", chapter 1).
NEIGHBOURS = 8.0

#: A gradient is wrong by proof if the proven one moves by no more than such a share of the error when the
#: point moves by as much. Chosen: the error is nine tenths real.
STAYS = 0.1

#: Where function values contradict a proven derivative, it is seen in so many entries, and so far away in
#: units of each input's size, whether they are those of the recording. Chosen: the ends of what differences
#: step over, without the steps that noise hides.
FOLLOWED_ENTRIES, FOLLOWED_SCALES = 2, (1e-2, 1e-5)

#: A gradient that is off by its own rounding passes next to the proven one up to this share of the largest
#: entry of its input. Chosen: a gradient of zero, or of the other sign, is off by more.
ROUNDED_AWAY = 0.5

#: A kernel may be so many times as far off as plain code in its dtype is. Source: the tests of kernel
#: libraries, such as flash-attention's tests/test_flash_attn.py, which allow twice the error of PyTorch code
#: in half precision against float32.
EAGER_FACTOR = 2.0

#: And so many roundings of the largest entry more. Chosen: the result is rounded once more, and plain code
#: may be exact by luck. Liger-Kernel's tests allow bfloat16 one to ten of them.
EAGER_ROUNDINGS = 2.0

#: At so many points far away it is seen whether a function is flat between steps. Chosen: a step between two
#: values is missed once in 128.
FAR_POINTS = 8

#: They are up to so far away, in units of each input's size, or of one if that is more. Chosen: beyond
#: zero, where spikes are, and the next steps of `round`.
FAR_AWAY = 3.0

#: And another point lies so close to each. Chosen: a step is between the two about once in 1e8.
NEXT_TO = 1e-8

# -- how much is looked at ---------------------------------------------------------------------------

#: Up to this many inputs and outputs ``mode="auto"`` looks at every entry from the start; beyond it
#: two random projections come first, at a cost that does not grow with the number of entries.
#: Chosen: about where projections begin to be cheaper.
SMALL = 8

#: Inputs up to which a first look of few calls is enough. Chosen: a hundredth of one entry among as many is
#: 1e-4 of a projection, three times the bars of float32.
FEW_CALLS_SIZE = 10_000

#: Up to this many inputs and outputs doubt is settled entry by entry, beyond it by bisection.
#: Chosen: a bound on the time.
ENTRYWISE = 128

#: Up to this many a gradient that is clearly wrong is looked at entry by entry, by the short ladder.
#: Chosen: a bound on the time.
CLEAR = 256

#: How often a large problem is searched for wrong entries, a few at a time, before it is undecided.
#: Chosen: a bound on the time.
ROUNDS = 16

#: Random projections of a first look; each error has that many chances not to cancel. Chosen: two random
#: sums of the same error do not both vanish.
DIRECTIONS = 2

#: As many wrong entries are searched for. Chosen: a message shows no more.
MOST = 4

#: Of a function whose calls are the cost, so many coordinates are looked at next to a wrong one. Chosen: they
#: tell a factor from a slip.
DRAWN_NEXT_TO_IT = 3

#: An input is at the edge of its domain where a line in both directions is shorter than this share of what it
#: is elsewhere. Chosen: an error of one percent of a tenth is what the promised sensitivity sees.
AT_THE_EDGE = 0.1

#: A slope is vague that is known to no better than so many times the promised sensitivity: another one may be
#: clear about its entries. Chosen: what noise makes of a fit of one side, next to one of two.
VAGUE = 10.0

#: A line takes so much of the way to the edge of a domain. Chosen: its points are rounded.
WITHIN = 0.99

#: A line that stays on one side of zero in every input goes no more than this share of the way there.
#: Chosen: beyond a third the terms that are left out of the fit are a thousandth of the slope of a root.
SHORT_OF_ZERO = 0.36

#: So many coordinates of each input are looked at next to the wrong ones where there are more wrong ones
#: than were searched for. Chosen: enough to tell one input from all.
BESIDE_EACH = 2

#: So many coordinates of all inputs together are looked at there. Chosen: enough to tell a row from all.
BESIDE = 16

#: A gradient is wrong beyond doubt where it is farther off than so many times what is allowed.
#: Chosen: well beyond any bar.
BEYOND_DOUBT = 10.0

#: Outputs that differ by less than this factor in how far they move are seen next to each other in a sum.
#: Source: the promised sensitivity.
ALIKE = 1e-3

#: An output whose slope is no more than so many of its error bars may not move at all.
#: Chosen: well above one bar of the short ladder.
WAVERING = 30.0

#: A cotangent in half precision may be no larger: it is multiplied by what else there is, up to 65504.
#: Source: the largest number of float16.
MOST_OF_HALF = 1e3

# -- ladders of steps --------------------------------------------------------------------------------

#: Scales of an input that are farther apart than this factor get a ladder each. Source: a ladder of three
#: steps covers a factor of 16.
SCALES_APART = 8

#: A short ladder has settled where its error bars are below this share of the largest derivative.
#: Chosen: a tenth of the relative tolerance.
SETTLED = 1e-7

#: A ladder has seen a slope where the error bar is below this share of it. Source: the promised sensitivity.
SEEN_SLOPE = 1e-3

# -- the second look at a failure ----------------------------------------------------------------------

#: So many windows finer than the smallest scale are looked at, each an eighth of the one before.
#: Source: down to 1e-10 of the scale, where differences of float64 have six digits left.
FINER_WINDOWS = 9

#: So many numbers of a direction are printed. Chosen: a line of text.
SHOWN = 6

#: Values in half precision have their widest window at this scale. Source: at a scale of one the rounding of
#: bfloat16 alone makes a bar of five standard errors as wide as half of the slope.
WIDE_IF_COARSE = 8.0

#: Where a window has no finer one to say the same, one that is narrower by this factor may.
#: Chosen: no step of the one is a step of the other.
OTHER_STEPS = 0.6

#: Windows of so many scales measure the noise. Chosen: down to a ten thousandth, where no kink is near.
NOISE_WINDOWS = 5

#: A value that does not move is flat where the difference in question would have moved it by so many times
#: its noise. Chosen: far beyond any chance, and below what a grain of float32 inside of float64 hides.
FLAT = 100.0

#: The scale of a last window before a gradient is called wrong. Source: a window of 1e-9 of the input's size
#: is within the tolerances that solvers stop at, and differences of float64 have seven digits left there.
FINEST = 1e-8

#: A derivative in a low precision may be off by so many of the roundings of values next to it, per size of
#: the input, as they are seen at so many points. Measured: up to seven in the tail of gelu in float32.
ROUNDINGS_OF_VALUES, ROUNDED_POINTS = 8.0, 8

#: Numbers that are no more than this share of the largest one beside them are nothing.
#: Measured: Broyden's method with a tolerance of 1e-10 leaves up to 4e-8.
NOTHING = 1e-7

#: A window counts if its bar is at most this share of the difference in question.
#: Chosen: a fifth.
TELLING_BAR = 0.2

#: The same where values are in half precision. Chosen: twice as much; the gap must be wider than the bar.
TELLING_IF_COARSE = 0.4

#: A single window says that a slope is wrong where it lies apart by so many of its bars.
#: Measured: the residuals of gelu at -8, whose values take a few hundred steps there, make bars that are 1.3
#: times too narrow in one line of twelve.
BARS_OF_ONE = 3.0

#: The same where values are in half precision. Chosen: less than a telling window has.
BARS_IF_COARSE = 2.0

#: Where rounding may be all that contradicts a gradient, values are taken over stretches to either side of
#: the point. This is the shortest, in units of an input's size, and each is so many times the last one.
#: Chosen: far below the stairs of most tails.
SHORTEST_STRETCH, STRETCH_GROWTH = 1e-6, 1.15

#: The slope of a stair is the median over so many of the shortest ones. Chosen: a jump is within a few.
STRETCHES_FOR_A_SLOPE = 8

#: Values leave a stair where they are off its line by this share of what is between that and the gradient's.
#: Chosen: the next jump goes beyond the gradient's line, or back to it.
LEAVES_A_STAIR = 0.25

#: Where they leave it is found in so many rounds of so many parts. Source: 7 to the power of 8 is 6e6.
JUMP_PARTS, JUMP_ROUNDS = 7, 8

#: What leaves by a jump does so by this share of the way at once. Source: what is smooth does so by the width
#: of the last part.
KEPT_BY_A_JUMP = 0.1

#: A right gradient adds up to the values over a stretch of so many times the height of a jump, but for this
#: share. Source: a rounding at either end is two in a thousand, and the sum is as close.
MANY_STAIRS, STAIRS_SHARE = 1000.0, 0.005

#: Where the function's range is too small for that, a gradient must still add up to it. Then no stair may be
#: higher than so many times the error over its width, or wider than this share of the input's size.
#: Source: the next jump leads back to the gradient's line, and twenty stairs are no steps of the function.
HEIGHT_OF_STAIRS, WIDTH_OF_STAIRS = 4.0, 0.05

#: The sum takes so many points, and halves a stretch so many times. Source: a rule of Gauss and Legendre is
#: that close for exp(-x² / 2) over [-12, 0], and eight halvings find the part of [-600, 0] that moves.
SUM_NODES, HALVINGS = 12, 24

#: And the gradient at points so far away, in units of an input's size, is that at the point. Chosen:
#: exp(-x² / 2) at -9 changes by a hundredth over it.
NEXT_TO_STAIRS = 1e-4

#: Stairs are looked for where a difference moves the value by no more than this over the size of an input, or
#: where values waver over it. Chosen: a thousand times what hides in the rounding of terms of a million.
ULP_OF_HIDDEN_TERMS = 1e-7

#: So many entries in question are looked at where the function is smooth, and where it is not.
#: Chosen: a bound on the calls; one entry that is wrong is enough.
SMOOTH_DISPUTES, ROUGH_DISPUTES = 3, 2

#: So many of them are looked at nearby too. Chosen: as above.
NEARBY_DISPUTES = 2

#: Distances of points nearby, in units of the inputs' scales, where a gradient is asked for again. Chosen:
#: within a few percent a gradient has not changed by much, within a fifth a special value is far away.
NEARBY = (0.2, 0.03, 0.2, 0.03)

#: Windows there reach no farther than this share of the way back to the point, over `methods.windows.WIDTH`.
#: Chosen: half of the way.
SHORT_OF_THE_POINT = 4.0

#: Distances of points close by, where slopes are measured: as many as it takes to find slopes around the one
#: in question. Chosen: slopes have not changed there by a thousandth, and sixteen points lie on both sides of
#: a tie but for once in 30,000 times.
CLOSE_BY = (1e-4, 1e-3) * 8

#: Quotients of the two steps there may differ by this share before extrapolation.
#: Chosen: the truncation of the wide one where the slope turns within the distance.
CLOSE_CHANGE = 0.05

#: And by what so many roundings of the value make of them. Chosen: those of either value, and once more.
CLOSE_ROUNDINGS = 4.0

#: Of the slopes there so many must be known before they are held against a gradient. Chosen: three in four.
CLOSE_FOR_WRONG = 12

#: And so many are asked where the function seems to be smooth at the point. Chosen: as many as lie on two
#: sides of a tie 31 times in 32.
CLOSE_IF_SMOOTH = 6

#: They come closer to the slope at the point if those at a tenth of the distance are away from it by so many
#: times less. Chosen: the first to the fifth power of the distance; what is less has missed a kink.
COMES_CLOSER = 1e-5, 0.3

#: So many of them are enough. Chosen: as few as lie on two sides.
CLOSE_ENOUGH = 3

#: Steps there, as shares of the distance. Chosen: shorter than the way back to the point in most inputs.
CLOSE_STEPS = (0.02, 0.007)

#: A gradient is wrong nearby where so many looks say so. Source: every failure is seen twice.
WRONG_NEARBY = 2

#: How much a slope may have changed at the points close by, as a share of the largest of them.
#: Chosen: a few times the distance.
NEARBY_SLACK = 0.005

#: A slope is sought along a line from so many points close by, so many times their distance to either side,
#: in so many parts of an interval, the best of which is divided again, so many times. Chosen: a number that
#: is tied with others passes all of them, and the last part is a thousandth of the distance.
SOUGHT_FROM, SOUGHT, SOUGHT_PARTS, SOUGHT_ROUNDS = 4, 2.0, 8, 4

# -- what kind of wrong ------------------------------------------------------------------------------

#: Two gradients are the same but for the errors of either. Chosen: above the bars of differences.
SAME_RTOL = 1e-5

#: The same for entries that are small beside the largest one. Chosen: as above.
SAME_ATOL = 1e-8

#: The same for gradients on the engine with one term left out. Chosen: the engine cancels what it leaves out.
SAME_ATOL_OF_TERMS = 1e-7

#: A factor is round, or minus one, up to this. Chosen: a mistyped constant differs by more.
ROUND_FACTOR = 1e-4

#: Factors up to this are written by people, and so are their inverses. Chosen: dimensions and powers.
LARGEST_FACTOR = 10

#: Errors of at least this share of the largest one are diagnosed first. Chosen: what is a hundred times
#: smaller is another mistake, and mostly the lesser one.
LED_BY = 0.01

#: An entry counts as right beside wrong ones where it is larger than this share of the largest one.
#: Chosen: the relative tolerance.
VISIBLE_ENTRY = 1e-6

#: Real and imaginary parts that are larger than the tolerance by this factor tell a conjugate.
#: Chosen: no rounding of a real number is as large.
TELLING_PART = 1e3

#: A value computed in a coarser dtype is off by no more than so many of its roundings of the largest one.
#: Chosen: a short chain of operations in that dtype.
COARSE_ROUNDINGS = 16

#: A right number this close to a whole one may be cut to either neighbour. Chosen: the relative tolerance.
NEARLY_WHOLE = 1e-6

#: And is then cut by less than this. Source: one, and a rounding.
CUT_BY = 1.5

#: A backward is right in float64 where it is off by no more than this share of its row's largest entry.
#: Chosen: the relative tolerance.
RIGHT_IN_DOUBLE = 1e-6

#: Inputs below this share of the largest one are moved away from zero, to see whether that makes it right.
#: Chosen: bounds that keep a division or a logarithm finite are smaller.
TINY_INPUT = 1e-6

#: A gradient in float64 whose largest error is below this share may be right, and the function computed by an
#: iteration that ends. Chosen: a hundred times what methods differ by that agree; mistakes are larger.
NEARLY_RIGHT = 1e-4

#: So many wrong rows and columns are looked at again at another point. Chosen: a bound on the time.
LOOKED_AT_AGAIN = 4

#: Each use of a value costs a backward pass of its own; a function with more of them is no formula written by
#: hand. Chosen: a bound on the time.
MOST_USES = 64

#: A sensitivity of this and more is not worth suggesting. Source: an error of half of the gradient.
LEAST_SENSITIVITY = 0.5

#: Nor is it promised in a coarse dtype from this on. Source: a gradient that is zero is off by all of it.
LEAST_PROMISE = 1.0
