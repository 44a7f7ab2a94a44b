//! Weights of the terms, in log-odds: +1 makes it e times as likely against all else. Chosen, not learnt: by
//! hand from what each kind of evidence can and cannot prove, and checked on the lab's scenarios. Printed
//! with every verdict.

/// Most that a verdict may be sure of: what is not seen may always be there.
pub(crate) const MOST: f64 = 0.97;
/// Most of a cause whose rivals the evidence does not exclude.
pub(crate) const UNDECIDED: f64 = 0.75;

/// Most of any cause where nobody has died and no capture was taken: nobody looked inside, and what climbs
/// may come to rest.
pub(crate) const UNSEEN: f64 = 0.6;

/// Before anything is known: changes kill more often than what has always been there; of what needs no change
/// each kind less than half as often.
pub(crate) const BASE_CHANGE: f64 = -1.5;
pub(crate) const BASE_OTHER: f64 = -2.0;

/// What was published fills the memory: copies of as many elements, or the collection itself.
pub(crate) const JUMP_IS_THE_GROWTH: f64 = 4.5;
/// Copies of as many elements fill the memory, and nobody knows how many there were before.
pub(crate) const FILLS: f64 = 3.5;
/// A collection jumped, and what that has to do with the growth is not seen.
pub(crate) const JUMP: f64 = 2.0;
/// It jumped in nearly all heaps that were looked at.
pub(crate) const JUMP_EVERYWHERE: f64 = 0.7;
/// It jumped before memory grew; or after it.
pub(crate) const JUMP_FIRST: f64 = 1.0;
pub(crate) const JUMP_LATE: f64 = -4.0;
/// Heaps were looked at, and nothing in them jumped.
/// Large objects are as large as so many elements each, and much of the growth: it may be chance.
pub(crate) const SIZED: f64 = 1.0;
pub(crate) const NO_JUMP: f64 = -1.5;
/// The heaps say what else it was: of all causes but the published.
pub(crate) const JUMP_AGAINST_OTHERS: f64 = -2.5;

/// All that had it in their heaps lived with it; times the part of them that did.
pub(crate) const LIVED_WITH_IT: f64 = -6.0;

/// Proximity in time: at once, falling by e in every half hour.
pub(crate) const TIME: f64 = 1.2;
pub(crate) const TIME_HALF_MS: f64 = 30.0 * 60_000.0;
/// It came after the consequence.
pub(crate) const AFTER_THE_FACT: f64 = -6.0;
/// It came after the growth had begun, and before a third of it was there.
pub(crate) const EARLY_IN_IT: f64 = -1.0;
/// It reached those that died, by the Jaccard index of both sets; or it reached others only.
pub(crate) const SCOPE: f64 = 1.5;
pub(crate) const OUT_OF_SCOPE: f64 = -3.0;
/// Words of its key are those of the hot code and of what keeps the memory.
pub(crate) const NAME: f64 = 1.8;
/// As many elements as the heap has: within one in twenty. Or it says another number.
pub(crate) const SIZE: f64 = 2.5;
pub(crate) const OTHER_SIZE: f64 = -2.5;
/// About as many, and not as many, without a word in common with the code: another list of that size.
pub(crate) const NEARLY_SIZE: f64 = 0.5;
/// The heaps have as many, as they have of whatever is published: alone that says that it was read.
pub(crate) const WAS_READ: f64 = 0.5;
/// What was published is in the heaps, and is not what fills them.
pub(crate) const DOES_NOT_FILL: f64 = -1.0;
/// It was published when the collection jumped; or at another time.
pub(crate) const WHEN_IT_JUMPED: f64 = 1.5;
pub(crate) const NOT_WHEN_IT_JUMPED: f64 = -2.0;
/// Each other change near it: any may be it.
pub(crate) const OTHERS_NEAR: f64 = -0.3;
pub(crate) const OTHERS_NEAR_MOST: f64 = -1.2;

/// The label tells who dies; or it does not.
pub(crate) const DISCRIMINATES: f64 = 5.0;
pub(crate) const DOES_NOT: f64 = -4.0;
/// All were replaced, lived before, and die since.
pub(crate) const BEFORE_AND_AFTER: f64 = 2.0;
/// Most that the Bayes factor of too few to test may say, either way.
pub(crate) const FEW_MOST: f64 = 2.0;
/// Others, to whom it never came, died with the first of them; or some time later, as those die who are left
/// with the load.
pub(crate) const OTHERS_DIE_TOO: f64 = -4.0;
pub(crate) const OTHERS_DIE_LATER: f64 = -1.0;
/// All of its processes that are as old as the dead were live; times their part of both.
pub(crate) const OTHERS_LIVE_ON: f64 = -1.5;
/// The same version had lived for long before: it needed something else.
pub(crate) const HAD_LIVED: f64 = -1.5;

/// The place of the growth allocates many times faster than requests rose: it is other data, or other code,
/// that they meet. Or just so many times as fast.
pub(crate) const OUTPACES: f64 = -3.5;
pub(crate) const KEEPS_PACE: f64 = 0.7;
/// From how many times the rise of requests on.
pub(crate) const PACE: f64 = 3.0;
/// A series rose before memory; with it; after it; or not at all.
pub(crate) const ROSE_BEFORE: f64 = 3.5;
pub(crate) const ROSE_WITH: f64 = 2.0;
pub(crate) const ROSE_AFTER: f64 = -3.0;
pub(crate) const STEADY: f64 = -4.0;

/// What captures say by themselves, times the part of the dead that say so.
pub(crate) const FINDING: f64 = 4.0;
/// The same of a finding that only fits.
pub(crate) const FITS: f64 = 1.5;
/// A series rose before memory that tells of something else.
pub(crate) const ANOTHER_STORY: f64 = -1.5;
/// What is wrong inside came with a version, by who dies or by who lived before.
pub(crate) const BROUGHT: f64 = -2.5;

/// Findings that say something else.
pub(crate) const FINDS_OTHER: f64 = -2.0;

/// All at once whatever their age; or each at its age.
pub(crate) const AT_ONCE_AGAINST_LEAK: f64 = -2.0;
pub(crate) const BY_AGE: f64 = 1.5;
