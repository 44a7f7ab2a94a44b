//! What keeps something alive: a question to the heap's graph of a capture, by the name of a type, of a
//! package variable, of a function with goroutines, or of an allocation site. Pure.

use crate::facts::{GraphCensus, GraphCopies, GraphFacts, GraphPath, GraphRoot, GraphSite, GraphType, GraphWaste};
use crate::way::starts_at;

/// All that a graph knows of what was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Why<'a> {
    /// Types of that name.
    pub types: Vec<&'a GraphType>,
    /// Holders of that name.
    pub roots: Vec<&'a GraphRoot>,
    /// Allocation sites of that function or line.
    pub sites: Vec<&'a GraphSite>,
    /// Ways that start at the holder, or end at the type: those to the most bytes first.
    pub paths: Vec<&'a GraphPath>,
    /// Collections of them.
    pub census: Vec<&'a GraphCensus>,
    /// Copies of them.
    pub copies: Vec<&'a GraphCopies>,
    /// What they waste.
    pub waste: Vec<&'a GraphWaste>,
}

impl<'a> Why<'a> {
    /// Asks for a name: exactly so, else as a part of names, whatever their case.
    #[must_use]
    pub fn of(g: &'a GraphFacts, asked: &str) -> Self {
        let asked = asked.trim();
        let exact = Self::where_names(g, |name| name == asked);
        if !exact.is_empty() || asked.is_empty() {
            return exact;
        }
        let lower = asked.to_lowercase();
        Self::where_names(g, |name| name.to_lowercase().contains(&lower))
    }

    fn where_names(g: &'a GraphFacts, is: impl Fn(&str) -> bool) -> Self {
        let types: Vec<&GraphType> = g.types.iter().filter(|t| is(&t.name)).collect();
        let roots: Vec<&GraphRoot> = g.roots.iter().filter(|r| is(&r.name)).collect();
        let at = |s: &GraphSite| s.stack.first().is_some_and(|f| is(f)) || !s.at.is_empty() && is(&s.at);
        let sites: Vec<&GraphSite> = g.sites.iter().filter(|s| at(s)).collect();
        let held = |way: &str| roots.iter().any(|r| starts_at(way, &r.name));
        let typed = |name: &str| !name.is_empty() && types.iter().any(|t| t.name == name);
        let mut paths: Vec<&GraphPath> =
            g.paths.iter().filter(|p| typed(&p.type_name) || p.steps.first().is_some_and(|s| held(s))).collect();
        paths.sort_by_key(|p| std::cmp::Reverse(p.bytes));
        // A field's name is a part of the way: `.avids`.
        let census = g.census.iter().filter(|c| typed(&c.type_name) || held(&c.owner) || is(&c.owner)).collect();
        let copied = |c: &GraphCopies| {
            typed(&c.type_name) || c.holders.iter().any(|h| roots.iter().any(|r| r.name == h.function)) || {
                !c.site.is_empty() && sites.iter().any(|s| s.stack.first() == Some(&c.site))
            }
        };
        let copies = g.copies.iter().filter(|c| copied(c)).collect();
        let waste = g.waste.iter().filter(|w| typed(&w.type_name) || held(&w.owner)).collect();
        Self { types, roots, sites, paths, census, copies, waste }
    }

    /// Whether nothing has that name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.types.is_empty() && self.roots.is_empty() && self.sites.is_empty() && self.census.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> GraphFacts {
        let path = |steps: &[&str], kind: &str, bytes| GraphPath {
            steps: steps.iter().map(|s| (*s).to_owned()).collect(),
            type_name: kind.into(),
            bytes,
            ..GraphPath::default()
        };
        GraphFacts {
            types: vec![
                GraphType { name: "[]int64".into(), ..GraphType::default() },
                GraphType { name: "[]int64x".into(), ..GraphType::default() },
            ],
            roots: vec![GraphRoot { name: "main.cache".into(), ..GraphRoot::default() }],
            sites: vec![GraphSite {
                stack: vec!["main.build".into()],
                at: "server.go:71".into(),
                ..GraphSite::default()
            }],
            paths: vec![
                path(&["goroutines in main.f"], "[]int64", 10),
                path(&["global main.cache", ".avids"], "[]int64", 600),
                path(&["global main.cache"], "main.cache", 5),
            ],
            ..GraphFacts::default()
        }
    }

    #[test]
    fn types_variables_and_sites_are_found_by_name() {
        let g = graph();
        let by_type = Why::of(&g, "[]int64");
        assert_eq!((by_type.types.len(), by_type.paths.len()), (1, 2), "exactly that type");
        assert_eq!(by_type.paths.first().unwrap().bytes, 600);
        let variable = Why::of(&g, "main.cache");
        assert_eq!((variable.roots.len(), variable.paths.len()), (1, 2));
        assert_eq!(Why::of(&g, "server.go:71").sites.len(), 1);
        assert_eq!(Why::of(&g, "MAIN.BUILD").sites.len(), 1, "part of a name, whatever its case");
        assert_eq!(Why::of(&g, "int64").types.len(), 2);
        assert!(Why::of(&g, "main.nothing").is_empty() && Why::of(&g, " ").is_empty());
    }
}
