//! What the standard library's functions give: enough of it to tell channels, locks, files and responses.
//! Source: the signatures in Go 1.27's API files (`go doc`).

use super::ast::{Direction, Type};

/// Functions and methods with what they give, as `path.Name` or `path.Type.Method`; `*` before a type is a
/// pointer, `,` separates results, `error` and other names without a dot are predeclared.
const RESULTS: &[(&str, &str)] = &[
    ("context.Background", "context.Context"),
    ("context.TODO", "context.Context"),
    ("context.WithCancel", "context.Context,context.CancelFunc"),
    ("context.WithDeadline", "context.Context,context.CancelFunc"),
    ("context.WithTimeout", "context.Context,context.CancelFunc"),
    ("context.WithValue", "context.Context"),
    ("context.Context.Done", "<-chan struct"),
    ("context.Context.Err", "error"),
    ("time.NewTicker", "*time.Ticker"),
    ("time.NewTimer", "*time.Timer"),
    ("time.After", "<-chan time.Time"),
    ("time.Tick", "<-chan time.Time"),
    ("time.AfterFunc", "*time.Timer"),
    ("time.Now", "time.Time"),
    ("time.Since", "time.Duration"),
    ("net/http.Get", "*net/http.Response,error"),
    ("net/http.Post", "*net/http.Response,error"),
    ("net/http.PostForm", "*net/http.Response,error"),
    ("net/http.Head", "*net/http.Response,error"),
    ("net/http.NewRequest", "*net/http.Request,error"),
    ("net/http.NewRequestWithContext", "*net/http.Request,error"),
    ("net/http.Client.Do", "*net/http.Response,error"),
    ("net/http.Client.Get", "*net/http.Response,error"),
    ("net/http.Client.Post", "*net/http.Response,error"),
    ("net/http.Client.PostForm", "*net/http.Response,error"),
    ("net/http.Client.Head", "*net/http.Response,error"),
    ("net/http.Transport.RoundTrip", "*net/http.Response,error"),
    ("net/http.RoundTripper.RoundTrip", "*net/http.Response,error"),
    ("net/http.Request.Context", "context.Context"),
    ("net/http.NewServeMux", "*net/http.ServeMux"),
    ("net.Dial", "net.Conn,error"),
    ("net.DialTimeout", "net.Conn,error"),
    ("net.Listen", "net.Listener,error"),
    ("net.ListenTCP", "*net.TCPListener,error"),
    ("net.DialTCP", "*net.TCPConn,error"),
    ("crypto/tls.Dial", "*crypto/tls.Conn,error"),
    ("crypto/tls.DialWithDialer", "*crypto/tls.Conn,error"),
    ("crypto/tls.Listen", "net.Listener,error"),
    ("crypto/tls.Dialer.Dial", "net.Conn,error"),
    ("crypto/tls.Dialer.DialContext", "net.Conn,error"),
    ("net.Listener.Accept", "net.Conn,error"),
    ("net.TCPListener.Accept", "net.Conn,error"),
    ("net.TCPListener.AcceptTCP", "*net.TCPConn,error"),
    ("net.Dialer.Dial", "net.Conn,error"),
    ("net.Dialer.DialContext", "net.Conn,error"),
    ("os.Open", "*os.File,error"),
    ("os.Create", "*os.File,error"),
    ("os.OpenFile", "*os.File,error"),
    ("os.CreateTemp", "*os.File,error"),
    ("os.ReadFile", "[]byte,error"),
    ("io.ReadAll", "[]byte,error"),
    ("database/sql.Open", "*database/sql.DB,error"),
    ("database/sql.DB.Query", "*database/sql.Rows,error"),
    ("database/sql.DB.QueryContext", "*database/sql.Rows,error"),
    ("database/sql.DB.Prepare", "*database/sql.Stmt,error"),
    ("database/sql.DB.PrepareContext", "*database/sql.Stmt,error"),
    ("database/sql.DB.Begin", "*database/sql.Tx,error"),
    ("database/sql.DB.BeginTx", "*database/sql.Tx,error"),
    ("database/sql.DB.Conn", "*database/sql.Conn,error"),
    ("database/sql.Tx.Query", "*database/sql.Rows,error"),
    ("database/sql.Tx.QueryContext", "*database/sql.Rows,error"),
    ("database/sql.Tx.Prepare", "*database/sql.Stmt,error"),
    ("database/sql.Conn.QueryContext", "*database/sql.Rows,error"),
    ("database/sql.Stmt.Query", "*database/sql.Rows,error"),
    ("database/sql.Stmt.QueryContext", "*database/sql.Rows,error"),
    ("strings.Split", "[]string"),
    ("strings.Fields", "[]string"),
    ("strings.ToLower", "string"),
    ("strings.TrimSpace", "string"),
    ("strings.Repeat", "string"),
    ("strings.Join", "string"),
    ("strings.Clone", "string"),
    ("bytes.Clone", "[]byte"),
    ("bytes.Buffer.Bytes", "[]byte"),
    ("bytes.Buffer.String", "string"),
    ("strings.Builder.String", "string"),
    ("fmt.Sprintf", "string"),
    ("fmt.Sprint", "string"),
    ("fmt.Errorf", "error"),
    ("errors.New", "error"),
    ("strconv.Itoa", "string"),
    ("strconv.Atoi", "int,error"),
    ("sync.NewCond", "*sync.Cond"),
    ("bufio.NewReader", "*bufio.Reader"),
    ("bufio.NewScanner", "*bufio.Scanner"),
    ("bufio.NewWriter", "*bufio.Writer"),
    ("bufio.Reader.ReadString", "string,error"),
    ("bufio.Reader.ReadBytes", "[]byte,error"),
    ("bufio.Scanner.Text", "string"),
    ("bufio.Scanner.Bytes", "[]byte"),
    ("os/exec.Command", "*os/exec.Cmd"),
    ("os/exec.CommandContext", "*os/exec.Cmd"),
];

/// Fields and package variables likewise.
const MEMBERS: &[(&str, &str)] = &[
    ("net/http.DefaultClient", "*net/http.Client"),
    ("net/http.DefaultTransport", "net/http.RoundTripper"),
    ("net/http.DefaultServeMux", "*net/http.ServeMux"),
    ("net/http.Response.Body", "io.ReadCloser"),
    ("net/http.Request.Body", "io.ReadCloser"),
    ("time.Ticker.C", "<-chan time.Time"),
    ("time.Timer.C", "<-chan time.Time"),
    ("sync.Cond.L", "sync.Locker"),
    ("os.Stdin", "*os.File"),
    ("os.Stdout", "*os.File"),
    ("os.Stderr", "*os.File"),
    ("os.Args", "[]string"),
];

/// What a function of a package gives.
pub(super) fn function(path: &str, name: &str) -> Option<Type<'static>> {
    find(RESULTS, |key| key.strip_prefix(path).and_then(|k| k.strip_prefix('.')) == Some(name))
}

/// What a method gives.
pub(super) fn method(path: &str, ty: &str, name: &str) -> Option<Type<'static>> {
    find(RESULTS, |key| {
        key.strip_prefix(path)
            .and_then(|k| k.strip_prefix('.'))
            .and_then(|k| k.strip_prefix(ty))
            .and_then(|k| k.strip_prefix('.'))
            == Some(name)
    })
}

/// The type of a field, or of a package variable (`ty` empty).
pub(super) fn member(path: &str, ty: &str, name: &str) -> Option<Type<'static>> {
    find(MEMBERS, |key| {
        let rest = key.strip_prefix(path).and_then(|k| k.strip_prefix('.'));
        let rest =
            if ty.is_empty() { rest } else { rest.and_then(|k| k.strip_prefix(ty)).and_then(|k| k.strip_prefix('.')) };
        rest == Some(name)
    })
}

fn find(table: &'static [(&str, &'static str)], is: impl Fn(&str) -> bool) -> Option<Type<'static>> {
    let (_, text) = table.iter().find(|(key, _)| is(key))?;
    let mut types: Vec<Type<'static>> = text.split(',').map(parse).collect();
    if types.len() == 1 { types.pop() } else { Some(Type::Tuple(types)) }
}

fn parse(text: &'static str) -> Type<'static> {
    if let Some(rest) = text.strip_prefix('*') {
        return parse(rest).pointer();
    }
    if let Some(rest) = text.strip_prefix("[]") {
        return Type::Slice(Box::new(parse(rest)));
    }
    if let Some(rest) = text.strip_prefix("<-chan ") {
        return Type::Chan(Direction::Receive, Box::new(parse(rest)));
    }
    match text.rsplit_once('.') {
        Some((path, name)) => Type::of(path, name),
        None => Type::plain(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known() {
        let Some(Type::Tuple(t)) = function("net/http", "Get") else { panic!() };
        assert!(t[0].is("net/http", "Response") && t[1].is("", "error"));
        assert!(method("net/http", "Client", "Do").is_some() && function("net/http", "Client").is_none());
        assert!(member("time", "Ticker", "C").is_some() && member("time", "", "C").is_none());
    }
}
