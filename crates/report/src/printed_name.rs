//! Names of functions as tracebacks print them. Source: `runtime/symtab.go` (`funcNameForPrint`).

/// A function's name as tracebacks show it: type arguments as `[...]` (`funcNamePiecesForPrint`). pprof shows
/// them whole (`runtime_FrameSymbolName`, from Go 1.21), and so do frames: instantiations are different
/// places. Held by `cargo xtask real` (etcd: `btree.(*node[go.shape.*uint8])`). `minor` is 22
/// for Go 1.22.
#[must_use]
pub fn printed_name(name: &str, minor: u16) -> String {
    let (Some(open), Some(close)) = (name.find('['), name.rfind(']')) else { return name.to_owned() };
    if open >= close {
        return name.to_owned();
    }
    let inner = &name[open + 1..close];
    // A generic method of a generic type, which Go has from 1.27 on: the brackets close and open again in
    // between.
    if minor >= 27 && inner.contains('[') {
        let mut depth = 1u32;
        let mut closed = None;
        for (i, c) in inner.char_indices() {
            match (c, depth) {
                ('[', 0) => {
                    return closed.map_or(name.to_owned(), |at: usize| {
                        format!("{}[...]{}[...]{}", &name[..open], &inner[at + 1..i], &name[close + 1..])
                    });
                }
                ('[', _) => depth += 1,
                (']', 0) => return name.to_owned(),
                (']', _) => {
                    depth -= 1;
                    if depth == 0 {
                        closed = Some(i);
                    }
                }
                _ => {}
            }
        }
    }
    format!("{}[...]{}", &name[..open], &name[close + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_arguments_as_go_prints_them() {
        assert_eq!(printed_name("main.plain", 27), "main.plain");
        assert_eq!(printed_name("main.F[go.shape.int].func1", 27), "main.F[...].func1");
        assert_eq!(printed_name("main.F[go.shape.[]int]", 27), "main.F[...]");
        assert_eq!(printed_name("main.(*T[go.shape.int]).M[go.shape.string]", 27), "main.(*T[...]).M[...]");
        assert_eq!(printed_name("main.(*T[go.shape.int]).M[go.shape.string]", 26), "main.(*T[...]");
    }
}
