//! How sure it is what the heap's graph says: what all rules that read it share. Pure.

use crate::facts::{Facts, GraphFacts};
use crate::finding::{ConfidenceFactor, Evidence, Source};
use crate::growth::Growth;
use crate::rival::Rival;
use crate::units::{bytes, count, percent, plural};
use crate::way::starts_at;
use crate::window::Window;

/// Factor of a confidence where parts of the heap could not be read. Chosen, not measured.
const INCOMPLETE: f64 = 0.9;
/// Factor where it was read while the target ran. Chosen, not measured.
const NO_MOMENT: f64 = 0.8;
/// Goroutines that were read word by word, as one in so many of those that hold, up to which they do not
/// matter. Chosen.
const FEW_ONE_IN: u64 = 4;

/// Factors of what the graph as a whole is worth.
pub(crate) fn of_graph(g: &GraphFacts) -> Vec<ConfidenceFactor> {
    vec![
        ConfidenceFactor {
            name: "completeness of the heap's graph",
            value: if g.gaps.is_empty() { 1.0 } else { INCOMPLETE },
        },
        ConfidenceFactor {
            name: "that it was read of one moment",
            value: if is_of_one_moment(g) { 1.0 } else { NO_MOMENT },
        },
    ]
}

/// Factor where a collection is known by its header alone, its type unknown. Chosen, not measured.
const BY_ITS_HEADER: f64 = 0.85;

/// Factors of what is known of a collection: by the graph, or by the flight ring alone.
pub(crate) fn of_collection(g: Option<&GraphFacts>) -> Vec<ConfidenceFactor> {
    let by_header = || ConfidenceFactor { name: "that it is known by its header alone", value: BY_ITS_HEADER };
    g.map_or_else(|| vec![by_header()], of_graph)
}

/// Origin of its numbers.
pub(crate) fn source_of_collection(g: Option<&GraphFacts>) -> Source {
    g.map_or(Source::Estimated, source)
}

/// Origin of its numbers.
pub(crate) fn source(g: &GraphFacts) -> Source {
    if is_of_one_moment(g) && g.gaps.is_empty() { Source::Exact } else { Source::Estimated }
}

fn is_of_one_moment(g: &GraphFacts) -> bool {
    g.of_one_moment || g.source == "core"
}

/// Part of the live bytes.
pub(crate) fn share_of_live(g: &GraphFacts, n: u64) -> f64 {
    n as f64 / g.live_bytes.max(1) as f64
}

/// What only a variable holds that is not used any more would be garbage to the collector. Of what `holding`
/// goroutines hold; `None` where none do.
pub(crate) fn rival_of_dead_variables(g: &GraphFacts, holding: u64) -> Option<Rival> {
    const CAUSE: &str = "variables of goroutines that are not used any more: garbage that looks alive";
    if holding == 0 {
        return None;
    }
    let by_word = g.conservative_goroutines;
    let told = if !g.conservative {
        Some("stacks were read by the compiler's maps of what is in use".to_owned())
    } else if by_word > 0 && by_word.saturating_mul(FEW_ONE_IN) <= holding {
        Some(format!("the stacks of only {} were read word by word", plural(by_word, "goroutine")))
    } else {
        None
    };
    Some(Rival::tested(CAUSE, told, "the compiler's maps of those stacks, or the same after a collection"))
}

/// What stands between a finding of the graph about these holders and the growth that the profile explains:
/// the two are never told side by side without it.
pub(crate) fn beside_the_growth(
    facts: &Facts,
    growth: &Growth,
    window: Option<&Window>,
    holders: &[&str],
) -> Option<Evidence> {
    let (g, c) = (facts.graph.as_ref()?, growth.culprit.as_ref()?);
    window.filter(|_| growth.has_baseline)?;
    let function = &c.frame.function;
    let grew = format!("the {} that grew by the profile, allocated in {function},", bytes(c.growth.bytes));
    let of_it = g.sites.iter().filter(|s| s.stack.contains(function) && !s.kept_by.is_empty());
    let (mut here, mut elsewhere, mut most) = (0_u64, 0_u64, None::<(&str, u64)>);
    for site in of_it {
        if holders.iter().any(|name| starts_at(&site.kept_by, name)) {
            here = here.saturating_add(site.bytes);
        } else {
            elsewhere = elsewhere.saturating_add(site.bytes);
            if most.is_none_or(|(_, n)| site.bytes > n) {
                most = Some((&site.kept_by, site.bytes));
            }
        }
    }
    let all = here.saturating_add(elsewhere);
    let text = match most {
        _ if all == 0 => format!("whether this holds {grew} is not known: none of its samples was found alive"),
        Some((other, _)) if elsewhere > here => {
            format!("this is beside the growth: {grew} is kept by {other}, as its samples that are alive say")
        }
        _ => format!("it holds {grew}: {} of the samples that are alive", percent(here as f64 / all as f64)),
    };
    Some(Evidence { text, source: Source::Sampled })
}

/// `158 goroutines in main.ugcTab`, `main.cache`.
pub(crate) fn holder_text(name: &str, goroutines: u64) -> String {
    match goroutines {
        0 => name.to_owned(),
        1 => format!("1 goroutine in {name}"),
        n => format!("{} goroutines in {name}", count(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Amount, Frame, GraphSite};
    use crate::growth::Culprit;
    use crate::rival::Told;

    #[test]
    fn dead_variables_are_a_rival_where_every_word_of_a_stack_counts() {
        let mut g = GraphFacts { conservative: true, ..GraphFacts::default() };
        assert_eq!(rival_of_dead_variables(&g, 0), None, "variables of a package are always in use");
        let told = |g: &GraphFacts| rival_of_dead_variables(g, 158).unwrap().told;
        assert_eq!(told(&g), Told::NotApart);
        g.conservative_goroutines = 100;
        assert_eq!(told(&g), Told::NotApart);
        g.conservative_goroutines = 2;
        assert_eq!(told(&g), Told::Apart);
        g.conservative = false;
        assert_eq!(told(&g), Told::Apart);
    }

    /// A finding of the graph stands beside a verdict of the profile, and never against it without a word.
    #[test]
    fn what_it_has_to_do_with_the_growth_is_said() {
        let site = |kept_by: &str, bytes| GraphSite {
            stack: vec!["strings.Clone".into(), "main.build".into()],
            bytes,
            kept_by: kept_by.into(),
            ..GraphSite::default()
        };
        let growth = Growth {
            has_baseline: true,
            culprit: Some(Culprit {
                frame: Frame { function: "main.build".into(), ..Frame::default() },
                growth: Amount { bytes: 700_000_000, objects: 1 },
                ..Culprit::default()
            }),
            ..Growth::default()
        };
        let said = |sites: Vec<GraphSite>, window: Option<&Window>| {
            let facts = Facts { graph: Some(GraphFacts { sites, ..GraphFacts::default() }), ..Facts::default() };
            beside_the_growth(&facts, &growth, window, &["main.cache"]).map(|e| e.text)
        };
        let w = Some(&Window::default()).copied();
        let here = said(vec![site("global main.cache .a", 9), site("goroutines in main.f", 1)], w.as_ref()).unwrap();
        assert!(here.starts_with("it holds the 700 MB that grew by the profile") && here.contains("90 %"), "{here}");
        let there = said(vec![site("goroutines in main.f", 9)], w.as_ref()).unwrap();
        assert!(there.starts_with("this is beside the growth:") && there.contains("kept by goroutines in"), "{there}");
        assert!(said(Vec::new(), w.as_ref()).unwrap().contains("is not known"));
        assert_eq!(said(Vec::new(), None), None, "nothing grew");
    }

    #[test]
    fn what_is_incomplete_is_less_sure() {
        let product = |g: &GraphFacts| of_graph(g).iter().map(|f| f.value).product::<f64>();
        let mut g = GraphFacts { of_one_moment: true, ..GraphFacts::default() };
        assert_eq!((product(&g), source(&g)), (1.0, Source::Exact));
        g.gaps.push("the stacks of 3 goroutines".into());
        assert_eq!((product(&g), source(&g)), (INCOMPLETE, Source::Estimated));
        g.of_one_moment = false;
        assert!(product(&g) < INCOMPLETE);
    }
}
