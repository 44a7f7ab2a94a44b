//! What only other packages of a module tell: who calls a function, and what it does with what it is given.
//!
//! Packages are looked at one by one and forgotten, which keeps memory small. What a finding would have to
//! know of others is written down as a question ([`Ask`]); each package leaves the calls it makes
//! ([`Census`]); and when all were looked at, the questions are answered, and findings lowered that the
//! answer makes small.

mod answer;
mod census;

pub(crate) use answer::lower;
pub(crate) use census::{Census, called, once_at};

/// What names a function in a module: a hash of its import path, its receiver's type and its name.
pub(crate) type Key = u64;

/// A question of a finding to the packages around its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Whether all calls of this function lead back to the program's start, none of them in a loop or for a
    /// request: then what is found there happens once in a process.
    Once(Key),
    /// Whether no call of this function that the module has runs for requests: then what is found there is as
    /// a rule as many as somebody has set up.
    Unasked(Key),
    /// Whether what is called there bounds its own wait or number.
    Bounds(Vec<Key>, Bound),
}

/// How a function bounds what it is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// It makes a context with a deadline, or waits beside a timer.
    Time,
    /// It asks a limiter, a semaphore or a pool.
    Number,
}

impl Ask {
    /// Why a finding is a hint where the answer is yes.
    fn why(&self) -> &'static str {
        match self {
            Self::Once(_) => {
                "; all calls of this function that the module has lead back to the program's start, none in a loop or for a request: it happens once in a process"
            }
            Self::Unasked(_) => {
                "; no request is seen to reach it, in any package of the module, and what is made has no end of its own: as a rule there are as many as somebody sets up"
            }
            Self::Bounds(_, Bound::Time) => "; what is called sets a deadline of its own: it is waited for no longer",
            Self::Bounds(_, Bound::Number) => {
                "; what is called asks a limiter before it goes on: how many wait there is bounded by that"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check;
    use crate::finding::{Finding, Level};
    use crate::project::{Options, load};

    /// What is found in a module of these files.
    fn found(files: &[(&str, &str)]) -> Vec<Finding> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("go.mod"), "module example.com/m\n\ngo 1.22\n").unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let project = load(dir.path(), &[], &Options::default()).unwrap();
        check(&project, 1 << 20).findings
    }

    /// The level of the file that stays open in `key.Read`, where this is who calls it.
    fn level(callers: &[(&str, &str)]) -> Level {
        let key = "package key\nimport \"os\"\nfunc Read(n string) []byte {\n\tf, err := os.Open(n)\n\tif err != nil {\n\t\treturn nil\n\t}\n\tb := make([]byte, 8)\n\t_, _ = f.Read(b)\n\treturn b\n}\n";
        let mut files = vec![("key/key.go", key)];
        files.extend(callers);
        let all = found(&files);
        let of_key: Vec<_> = all.iter().filter(|f| f.code == "file-not-closed").collect();
        assert_eq!(of_key.len(), 1, "{all:?}");
        if of_key[0].level == Level::Hint {
            assert!(of_key[0].why.contains("happens once in a process"), "{}", of_key[0].why);
        }
        of_key[0].level
    }

    #[test]
    fn what_the_start_of_the_program_calls_happens_once() {
        let main = "package main\nimport \"example.com/m/key\"\nfunc main() { serve(load()) }\n\
                    func load() []byte { return key.Read(\"a\") }\nfunc serve([]byte) { select {} }\n";
        assert_eq!(level(&[("main.go", main)]), Level::Hint);
    }

    #[test]
    fn what_a_command_in_a_package_variable_calls_happens_once() {
        let command = "package main\nimport (\"example.com/m/key\"; \"github.com/spf13/cobra\")\n\
             var serve = &cobra.Command{Use: \"serve\", RunE: func(cmd *cobra.Command, args []string) error {\n\
             \tkey.Read(\"a\")\n\treturn nil\n}}\nfunc main() { serve.Execute() }\n";
        assert_eq!(level(&[("main.go", command)]), Level::Hint);
        let looped = command.replace("key.Read(\"a\")\n", "for { key.Read(\"a\") }\n");
        assert_eq!(level(&[("main.go", &looped)]), Level::Warning);
    }

    #[test]
    fn a_loop_a_request_or_a_function_that_is_handed_on_happens_often() {
        let looped = "package main\nimport \"example.com/m/key\"\nfunc main() { for { load() } }\n\
                      func load() []byte { return key.Read(\"a\") }\n";
        assert_eq!(level(&[("main.go", looped)]), Level::Warning);
        let asked = "package main\nimport (\"example.com/m/key\"; \"net/http\")\n\
                     func main() { key.Read(\"a\"); http.HandleFunc(\"/\", h); select {} }\n\
                     func h(w http.ResponseWriter, r *http.Request) { w.Write(key.Read(r.URL.Path)) }\n";
        assert_eq!(level(&[("main.go", asked)]), Level::Warning);
        let handed = "package main\nimport \"example.com/m/key\"\nfunc main() { key.Read(\"a\"); again(key.Read) }\n\
                      func again(f func(string) []byte) { select {} }\n";
        assert_eq!(level(&[("main.go", handed)]), Level::Warning);
    }

    #[test]
    fn what_nobody_is_seen_to_call_is_not_known() {
        let other = "package main\nfunc main() { select {} }\n";
        assert_eq!(level(&[("main.go", other)]), Level::Warning);
    }

    #[test]
    fn a_caller_that_nobody_calls_is_no_caller_and_neither_is_an_example() {
        let dead = "package main\nimport \"example.com/m/key\"\nfunc main() { key.Read(\"a\"); select {} }\n\
                    func old() { for { key.Read(\"b\") } }\n";
        assert_eq!(level(&[("main.go", dead)]), Level::Hint);
        let example = "package main\nimport \"example.com/m/key\"\nfunc main() { key.Read(\"a\"); select {} }\n";
        assert_eq!(level(&[("examples/a/main.go", example)]), Level::Warning);
    }

    #[test]
    fn callers_in_a_circle_are_not_followed_for_ever() {
        let circle = "package main\nimport \"example.com/m/key\"\nfunc main() { select {} }\n\
                      func A(n int) { key.Read(\"a\"); B(n) }\nfunc B(n int) { A(n) }\n";
        assert_eq!(level(&[("main.go", circle)]), Level::Warning);
    }

    #[test]
    fn a_method_of_another_type_of_the_same_name_does_not_count() {
        let key = "package key\nimport \"os\"\ntype Store struct{}\nfunc (s *Store) Load(n string) []byte {\n\tf, err := os.Open(n)\n\tif err != nil {\n\t\treturn nil\n\t}\n\tb := make([]byte, 8)\n\t_, _ = f.Read(b)\n\treturn b\n}\ntype Other struct{}\nfunc (o *Other) Load(n string) {}\n";
        let main = |again: &str| {
            format!(
                "package main\nimport \"example.com/m/key\"\n\
                 func main() {{ s := &key.Store{{}}; s.Load(\"a\"); o := &key.Other{{}}; for {{ {again}.Load(\"b\") }} }}\n"
            )
        };
        for (again, expected) in [("o", Level::Hint), ("s", Level::Warning)] {
            let all = found(&[("key/key.go", key), ("main.go", &main(again))]);
            let level: Vec<_> = all.iter().filter(|f| f.code == "file-not-closed").map(|f| f.level).collect();
            assert_eq!(level, [expected], "{again}");
        }
    }

    #[test]
    fn a_deadline_in_another_package_bounds_the_wait() {
        let limits = "package limits\nimport (\"context\"; \"time\")\n\
            func Soon(ctx context.Context) error { ctx, cancel := context.WithTimeout(ctx, time.Second); defer cancel(); <-ctx.Done(); return nil }\n\
            func Late(ctx context.Context) error { <-ctx.Done(); return nil }\n";
        let api = "package api\nimport (\"context\"; \"example.com/m/limits\"; \"net/http\")\n\
            func H(w http.ResponseWriter, r *http.Request) { soon(r.Context()); late(r.Context()) }\n\
            func soon(ctx context.Context) error { return limits.Soon(context.Background()) }\n\
            func late(ctx context.Context) error { return limits.Late(context.Background()) }\n";
        let all = found(&[("limits/limits.go", limits), ("api/api.go", api)]);
        let levels: Vec<_> =
            all.iter().filter(|f| f.code == "context-not-handed-on").map(|f| (f.place.line, f.level)).collect();
        assert_eq!(levels, [(4, Level::Hint), (5, Level::Warning)]);
    }
}
