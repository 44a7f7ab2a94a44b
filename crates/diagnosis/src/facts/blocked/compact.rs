//! What is said by being left out: a hundred thousand goroutines go through a pipe and into a file.

/// Whether a field has the value that it has where it is absent.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
