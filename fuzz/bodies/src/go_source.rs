//! The target that reads Go source: parser, lowering, every rule.

use lastgasp_gosource::check_text;

/// Any bytes as a Go file. With an even first byte the rest is the text; with an odd one it is put into a
/// function, so that statements are reached without a whole file.
pub fn gosource(data: &[u8]) {
    let (first, rest) = data.split_first().unwrap_or((&0, &[]));
    let text = String::from_utf8_lossy(rest);
    let text = if first % 2 == 0 {
        text.into_owned()
    } else {
        format!(
            "package p\nimport (\"sync\"; \"net/http\"; \"time\"; \"os\")\nvar mu sync.Mutex\nfunc f(w http.ResponseWriter, r *http.Request) {{\n{text}\n}}\n"
        )
    };
    let checked = check_text("fuzz.go", &text, Some(u32::from(*first)));
    let lines = text.lines().count().max(1);
    for f in &checked.findings {
        // A finding is about a line that there is.
        assert!((f.place.line as usize) <= lines + 1 && f.place.line > 0 && f.place.end_line >= f.place.line);
    }
}
