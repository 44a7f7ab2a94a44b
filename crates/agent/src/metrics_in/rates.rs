//! A page that is read directly: counters become rates between two readings, gauges are as they are. A
//! counter that went back was begun anew: between these two readings nothing is known.

use lastgasp_incident::evidence::UnixMs;

use super::presets::{Kind, Named};
use super::selector::Selector;
use super::text::samples;
use super::{Ask, Http, Value};

/// A role on a page: its terms, and whether each is added.
#[derive(Clone, Debug, PartialEq)]
struct Role {
    named: Named,
    terms: Vec<(bool, Selector)>,
    /// What its counters said last, and when.
    last: Option<(UnixMs, Vec<f64>)>,
}

#[derive(Debug)]
pub(super) struct Scrape {
    roles: Vec<Role>,
    wrong: Option<String>,
}

impl Scrape {
    pub(super) fn new(names: Vec<Named>) -> Self {
        let mut wrong = None;
        let mut roles = Vec::new();
        for named in names {
            match terms(&named.asked) {
                Ok(terms) => roles.push(Role { named, terms, last: None }),
                Err(why) => wrong = Some(why),
            }
        }
        Self { roles, wrong }
    }

    /// What a page says, read at a moment.
    fn read(&mut self, page: &[u8], at: UnixMs) -> Result<Vec<Value>, String> {
        let mut sums: Vec<Vec<Option<f64>>> = self.roles.iter().map(|r| vec![None; r.terms.len()]).collect();
        samples(page, |sample| {
            for (role, sums) in self.roles.iter().zip(&mut sums) {
                for ((_, selector), sum) in role.terms.iter().zip(sums) {
                    if sample.value.is_finite() && selector.fits(&sample.name, &sample.labels) {
                        *sum = Some(sum.unwrap_or(0.0) + sample.value);
                    }
                }
            }
        });
        let none = sums.iter().flatten().all(Option::is_none);
        let mut values = Vec::new();
        for (role, sums) in self.roles.iter_mut().zip(sums) {
            // The first term must be there; one that is added may come with its first event.
            if sums.first().copied().flatten().is_none() {
                role.last = None;
                continue;
            }
            let now: Vec<f64> = sums.into_iter().map(Option::unwrap_or_default).collect();
            if let Some(value) = role.value(&now, at) {
                let unit = if role.named.kind == Kind::Rate { "1/s" } else { "1" };
                let (role, name) = (role.named.role.clone(), role.named.asked.clone());
                values.push(Value { role, name, unit, at, value });
            }
            role.last = Some((at, now));
        }
        match (&self.wrong, none) {
            (Some(why), _) => Err(why.clone()),
            (_, true) => Err("none of the metrics that are named stands on its page".into()),
            _ => Ok(values),
        }
    }
}

impl Role {
    fn value(&self, now: &[f64], at: UnixMs) -> Option<f64> {
        let sum = |values: &[f64]| -> f64 {
            self.terms.iter().zip(values).map(|((added, _), v)| if *added { *v } else { -*v }).sum()
        };
        if self.named.kind == Kind::Gauge {
            return Some(sum(now));
        }
        let (before_at, before) = self.last.as_ref()?;
        let seconds = at.saturating_sub(*before_at) as f64 / 1000.0;
        let gone_back = now.iter().zip(before).any(|(now, before)| now < before);
        if seconds <= 0.0 || gone_back {
            return None;
        }
        let grown: Vec<f64> = now.iter().zip(before).map(|(now, before)| now - before).collect();
        Some((sum(&grown) / seconds).max(0.0))
    }
}

impl Ask for Scrape {
    fn ask(&mut self, http: &Http<'_>, now: UnixMs) -> Result<Vec<Value>, String> {
        self.read(&http.get("")?, now)
    }
}

/// `a{x="y"} + b - c`.
fn terms(text: &str) -> Result<Vec<(bool, Selector)>, String> {
    let (mut all, mut added, mut rest) = (Vec::new(), true, text.trim());
    loop {
        // A sign between blanks, outside of quotes.
        let mut in_string = false;
        let end = rest.char_indices().find(|(at, c)| {
            in_string ^= *c == '"';
            !in_string && matches!(c, '+' | '-') && rest.get(..*at).is_some_and(|b| b.ends_with(' '))
        });
        let Some((at, sign)) = end else {
            all.push((added, Selector::parse(rest)?));
            return Ok(all);
        };
        all.push((added, Selector::parse(rest.get(..at).unwrap_or_default())?));
        added = sign == '+';
        rest = rest.get(at + 1..).unwrap_or_default();
        if all.len() >= 16 {
            return Err(format!("{text}: too many terms"));
        }
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_incident::evidence::MetricRole;

    use super::*;

    fn scrape(names: &[(MetricRole, Kind, &str)]) -> Scrape {
        let named = |(role, kind, asked): &(MetricRole, Kind, &str)| Named {
            role: role.clone(),
            kind: *kind,
            asked: (*asked).to_owned(),
        };
        Scrape::new(names.iter().map(named).collect())
    }

    #[test]
    fn counters_are_rates_and_gauges_are_themselves() {
        let mut s = scrape(&[
            (MetricRole::Attempts, Kind::Rate, "req_total{proxy=\"rs\"} + retry_total"),
            (MetricRole::FirstAttempts, Kind::Rate, "req_total{proxy=\"rs\"}"),
            (MetricRole::InFlight, Kind::Gauge, "sessions"),
        ]);
        let page = |req: u64, retry: u64| {
            format!(
                "req_total{{proxy=\"rs\",server=\"a\"}} {req}\nreq_total{{proxy=\"rs\",server=\"b\"}} 100\nreq_total{{proxy=\"x\"}} 9\nretry_total {retry}\nsessions 7\n"
            )
        };
        let values = |v: Vec<Value>| v.into_iter().map(|v| (v.role.name().to_owned(), v.value)).collect::<Vec<_>>();
        assert_eq!(
            values(s.read(page(1000, 0).as_bytes(), 0).unwrap()),
            [("in-flight".into(), 7.0)],
            "one reading is no rate"
        );
        let second = values(s.read(page(1500, 50).as_bytes(), 5000).unwrap());
        assert_eq!(second, [("attempts".into(), 110.0), ("first-attempts".into(), 100.0), ("in-flight".into(), 7.0)]);
        // Begun anew: nothing is said of the time between.
        assert_eq!(values(s.read(page(3, 0).as_bytes(), 10_000).unwrap()).len(), 1);
        assert_eq!(values(s.read(page(13, 0).as_bytes(), 15_000).unwrap())[0].1, 2.0);
        assert!(s.read(b"other 1\n", 20_000).is_err());
        assert_eq!(values(s.read(page(99, 0).as_bytes(), 25_000).unwrap()).len(), 1, "the page was another meanwhile");
    }

    #[test]
    fn terms_of_names() {
        let all = terms("a_total{x=\"1 - 2\"} - b + c{d=\"e\"}").unwrap();
        let rows: Vec<(bool, &str)> = all.iter().map(|(added, s)| (*added, s.name.as_str())).collect();
        assert_eq!(rows, [(true, "a_total"), (false, "b"), (true, "c")]);
        assert!(terms("a +").is_err() && terms("").is_err());
        assert!(scrape(&[(MetricRole::Errors, Kind::Rate, "a{")]).read(b"a 1\n", 0).is_err());
    }
}
