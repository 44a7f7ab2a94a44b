//! Likeness of two allocation vectors: bytes by function, 1 where they are in the same proportions.

use std::collections::BTreeMap;

/// Cosine of the angle between two vectors by name; `None` where one is empty.
#[must_use]
pub fn cosine<'a>(
    a: impl IntoIterator<Item = (&'a str, u64)>,
    b: impl IntoIterator<Item = (&'a str, u64)>,
) -> Option<f64> {
    let sum = |all: &mut BTreeMap<&'a str, f64>, (name, n): (&'a str, u64)| *all.entry(name).or_default() += n as f64;
    let (mut x, mut y) = (BTreeMap::new(), BTreeMap::new());
    a.into_iter().for_each(|p| sum(&mut x, p));
    b.into_iter().for_each(|p| sum(&mut y, p));
    let length = |v: &BTreeMap<&str, f64>| v.values().map(|n| n * n).sum::<f64>().sqrt();
    let both: f64 = x.iter().filter_map(|(name, n)| Some(n * y.get(name)?)).sum();
    let lengths = length(&x) * length(&y);
    (lengths > 0.0).then(|| (both / lengths).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_count_and_sizes_do_not() {
        let near = |got: Option<f64>, want: f64| assert!((got.unwrap() - want).abs() < 1e-9, "{got:?}");
        near(cosine([("f", 3), ("g", 4)], [("f", 30), ("g", 40)]), 1.0);
        near(cosine([("f", 3)], [("g", 4)]), 0.0);
        near(cosine([("f", 1), ("f", 2)], [("f", 3), ("g", 4)]), 0.6);
        assert_eq!(cosine([], [("g", 4)]), None);
        assert_eq!(cosine([("f", 0)], [("f", 0)]), None);
    }
}
