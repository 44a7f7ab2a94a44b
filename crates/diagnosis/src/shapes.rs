//! Names of generic functions in sentences: type arguments as `[...]`, as tracebacks print them
//! (`runtime/symtab.go`, `funcNameForPrint`). Frames and subjects keep them whole, as pprof does:
//! instantiations are different places. Pure.

use crate::finding::Finding;

/// What stands for the type arguments of an instantiation (`cmd/compile`: types of one shape share code).
const SHAPE: &str = "go.shape.";

/// A finding whose words have such names.
pub(crate) fn shortened(mut finding: Finding) -> Finding {
    let words = [&mut finding.title, &mut finding.sentence, &mut finding.cure];
    let evidence = finding.evidence.iter_mut().map(|e| &mut e.text);
    let do_now = finding.do_now.iter_mut().flat_map(|(act, effect)| [act, effect]);
    for text in words.into_iter().chain(evidence).chain(do_now) {
        if text.contains(SHAPE) {
            *text = without_shapes(text);
        }
    }
    finding
}

/// `main.(*list[...]).add` of `main.(*list[go.shape.int]).add`: what stands in brackets and has shapes.
fn without_shapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let (before, from) = rest.split_at(open);
        out.push_str(before);
        // Brackets of the arguments themselves: maps, arrays, other instantiations.
        let mut depth = 0_usize;
        let close = from.char_indices().find(|(_, c)| {
            depth = match c {
                '[' => depth + 1,
                ']' => depth.saturating_sub(1),
                _ => depth,
            };
            depth == 0
        });
        // A name stands right before them: `[func main.on[go.shape.int].func1]` is a step of a way.
        let is_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        match close.map(|(at, _)| from.split_at(at + 1)) {
            Some((inside, behind)) if is_name && inside.contains(SHAPE) => {
                out.push_str("[...]");
                rest = behind;
            }
            _ => {
                out.push('[');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_arguments_are_left_out_of_sentences() {
        let of = |text: &str| without_shapes(text);
        assert_eq!(of("main.(*list[go.shape.int]).add holds 7 MB"), "main.(*list[...]).add holds 7 MB");
        let nested = "by way of x [...] [func a/b.Add[go.shape.struct { w._ [0]*go.shape.int }].func1] .X0 [...]";
        assert_eq!(of(nested), "by way of x [...] [func a/b.Add[...].func1] .X0 [...]");
        assert_eq!(of("a.(*T[go.shape.int]).M[go.shape.string]"), "a.(*T[...]).M[...]");
        // Types as reflection prints them say what they are of.
        let kept = "[]*trie.node[*a/b.Entry] of map[string]int [frame main.f]";
        assert_eq!(of(kept), kept);
        assert_eq!(of("broken [go.shape.int"), "broken [go.shape.int");
        assert_eq!(of("main.f[go.shape.int"), "main.f[go.shape.int");
    }
}
