//! Bounds of what is believed of foreign numbers: no walk is longer and no allocation larger, whatever stands
//! in memory.

/// Most goroutines that are followed.
pub(crate) const MAX_GOROUTINES: u64 = 4 << 20;
/// Largest stack in bytes: Go's own ceiling is 2,000,000,000 bytes (`maxstackceiling`), and stacks are powers
/// of two.
pub(crate) const MAX_STACK_BYTES: u64 = 1 << 30;
/// Most threads that are followed.
pub(crate) const MAX_THREADS: usize = 1 << 16;
/// Most buckets of the memory profile that are followed, 131,072: more than the largest services show (some
/// ten thousand; a copy of 20,000 has 8 MB). A list that goes on is any process's to make, and each bucket
/// costs its observer some 600 bytes while the profile is decoded.
pub(crate) const MAX_BUCKETS: usize = 1 << 17;
/// Bytes of all buckets together that are followed: their stacks may be 128 frames deep, or more in what is
/// no bucket.
pub(crate) const MAX_BUCKET_BYTES: usize = 64 << 20;

/// Bytes of calls, names and labels together that decoding goroutines may make, whatever stands in memory; a
/// `Goroutine` itself is smaller than the `g` that the copy holds of it.
pub(crate) const MAX_DECODED: usize = 512 << 20;
/// Frames that decoding goroutines may walk. The stacks that are copied have 16 MiB, which are a million
/// frames at most.
pub(crate) const MAX_STEPS: usize = 4 << 20;

/// Bytes of one goroutine's stack that are copied, from its innermost frame on.
pub(crate) const STACK_BOUND: u64 = 256 << 10;
/// Bytes in use from which on a stack is deep: what is alike in such stacks is where they stopped and not how
/// deep they are, and where there is no room for all of them so many bytes are copied, from the innermost
/// frame on. Frames of a few hundred bytes repeat a hundred times in that.
pub(crate) const DEEP_STACK: u64 = 64 << 10;
/// Bytes of all stacks together that are copied. Where they have more (a leak of deep goroutines: 89,000 of
/// them held 450 MB of stacks), a sample is copied.
pub(crate) const STACKS_BOUND: usize = 16 << 20;
/// Bytes of the stack of a running goroutine that are searched when its registers are not to be had.
pub(crate) const RECONSTRUCT_WINDOW: u64 = 64 << 10;
