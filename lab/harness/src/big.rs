//! A Go program of 100 MB, stripped: nearly a hundred thousand functions, as a large control plane has, for
//! measuring how fast discovery is.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::build::{Mode, build, cache_dir};
use crate::toolchain::Toolchain;

const PACKAGES: usize = 68;
const FUNCTIONS: usize = 1400;

/// Writes its source and builds it: several minutes the first time, a moment after that.
///
/// # Errors
/// What the compiler said.
pub fn build_big(toolchain: &Toolchain, mode: Mode) -> Result<PathBuf> {
    let dir = cache_dir().join("big");
    fs::create_dir_all(&dir)?;
    fs::write(dir.join("go.mod"), "module example.com/big\n\ngo 1.20\n")?;
    let (mut imports, mut calls) = (String::new(), String::new());
    for p in 0..PACKAGES {
        let package = format!("p{p:02}");
        let _ = writeln!(imports, "\t\"example.com/big/{package}\"");
        let _ = writeln!(
            calls,
            "\t{{\n\t\tt := {package}.T{{M: map[string]int{{}}}}\n\t\tfor i, h := range {package}.All {{\n\t\t\t_ = h(&t, []byte(\"abc\"), i%2)\n\t\t}}\n\t}}"
        );
        fs::create_dir_all(dir.join(&package))?;
        fs::write(dir.join(&package).join("p.go"), source(&package))?;
    }
    let main = format!(
        "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\t\"runtime/pprof\"\n\n{imports})\n\nfunc main() {{\n\t_ = pprof.Lookup(\"heap\")\n{calls}\tfmt.Println(\"READY\")\n\t_, _ = os.Stdin.Read(make([]byte, 1))\n}}\n"
    );
    fs::write(dir.join("main.go"), main)?;
    build(toolchain, mode, &dir, ".")
}

fn source(package: &str) -> String {
    let mut out = format!(
        "package {package}\n\nimport \"strconv\"\n\ntype T struct {{\n\tA, B int\n\tS    string\n\tM    map[string]int\n}}\n"
    );
    let mut all = String::new();
    for i in 0..FUNCTIONS {
        let _ = write!(
            out,
            "\n//go:noinline\nfunc (t *T) HandleRequestOfKind{i:04}(in []byte, k int) string {{\n\
             \tif k > {i} && len(in) > k {{\n\t\tt.M[string(in[:k])] += {i}\n\t\tt.S = t.S + strconv.Itoa(k*{}) + \"-{package}-{i}\"\n\t}}\n\
             \tfor i, b := range in {{\n\t\tt.A += int(b) * {} / (i + 1)\n\t\tt.B ^= t.A << uint(b&7)\n\t}}\n\
             \tout := make([]string, 0, k&15)\n\tfor j := 0; j < k&15; j++ {{\n\t\tout = append(out, t.S)\n\t}}\n\
             \tif len(out) > 3 {{\n\t\treturn out[{}] + t.S\n\t}}\n\treturn t.S\n}}\n",
            i + 3,
            i * 7 + 1,
            i % 3
        );
        let _ = writeln!(all, "\t(*T).HandleRequestOfKind{i:04},");
    }
    let _ = write!(out, "\nvar All = []func(*T, []byte, int) string{{\n{all}}}\n");
    out
}
