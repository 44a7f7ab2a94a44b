//! Loads that fill the memory of each program, and how it is run for them: paced, so that a second or more
//! passes between calm and death, and without chance, so that every play is the same.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::nats;
use crate::plans::{Deed, Plan, free_address, plan};
use crate::web::Web;

/// How `program` is run to die of `load`. The plan's clients are the load.
pub(super) fn doom(program: &str, load: &str, dir: &Path) -> Result<Plan> {
    let plan = plan(program, dir)?;
    match load {
        "slow-consumers" => Ok(slow_consumers(plan)),
        "memory-stream" => Ok(memory_stream(plan, dir)),
        "subscriptions" => Ok(subscriptions(plan)),
        "connections" => Ok(connections(plan)),
        "buffered-uploads" => buffered_uploads(plan, dir),
        "slow-readers" => slow_readers(plan, dir),
        "body-in-memory" => body_in_memory(plan, dir),
        "large-puts" => Ok(large_puts(plan)),
        "watchers" => Ok(watchers(plan)),
        "new-series" => Ok(new_series(plan)),
        "queries" => queries(plan, dir),
        "churn" => churn(plan, dir),
        _ => bail!("nobody knows the load {load}"),
    }
}

fn rest(milliseconds: u64) {
    sleep(Duration::from_millis(milliseconds));
}

/// Twelve clients of nats subscribe and read nothing; 32 kB for all of them come every 4 ms.
fn slow_consumers(plan: Plan) -> Plan {
    let address = plan.address.clone();
    let clients = move || {
        let mut slow = Vec::new();
        for k in 0..12 {
            let mut client = nats::Client::connect(&address)?;
            client.subscribe("lab.slow", k)?;
            slow.push(client);
        }
        let mut speaker = nats::Client::connect(&address)?;
        let body = vec![b'x'; 32 << 10];
        let deed = move |_| {
            // They are kept open by being held here.
            let _ = &slow;
            speaker.publish("lab.slow", &body)?;
            rest(4);
            Ok(())
        };
        Ok(vec![Box::new(deed) as Deed])
    };
    Plan { clients: Box::new(clients), ..plan }
}

/// 64 kB a millisecond go into a stream of nats that is kept in memory, without a bound.
fn memory_stream(plan: Plan, dir: &Path) -> Plan {
    let address = plan.address.clone();
    let clients = move || {
        let mut speaker = nats::Client::connect(&address)?;
        speaker.subscribe("inbox", 1)?;
        let stream = br#"{"name":"LAB","subjects":["lab.>"],"storage":"memory","retention":"limits","num_replicas":1}"#;
        speaker.ask("$JS.API.STREAM.CREATE.LAB", "inbox", stream)?;
        speaker.receive()?;
        let body = vec![b'x'; 64 << 10];
        let deed = move |i: u64| {
            speaker.publish(&format!("lab.{}", i % 100), &body)?;
            rest(1);
            Ok(())
        };
        Ok(vec![Box::new(deed) as Deed])
    };
    let mut args = plan.args;
    args.extend(["-js".to_owned(), "-sd".to_owned(), dir.join("streams").display().to_string()]);
    Plan { args, clients: Box::new(clients), ..plan }
}

/// One client of nats subscribes to one subject after another and gives none back.
fn subscriptions(plan: Plan) -> Plan {
    let address = plan.address.clone();
    let clients = move || {
        let mut client = nats::Client::connect(&address)?;
        let mut next = 0;
        let deed = move |_| {
            for _ in 0..2000 {
                client.tell(&format!("SUB orders.{next}.changed.of.a.customer {next}\r\n"))?;
                next += 1;
            }
            client.settle()?;
            rest(10);
            Ok(())
        };
        Ok(vec![Box::new(deed) as Deed])
    };
    Plan { clients: Box::new(clients), ..plan }
}

/// Clients of nats that connect, say nothing, and stay.
fn connections(plan: Plan) -> Plan {
    let address = plan.address.clone();
    let clients = move || {
        let mut open = Vec::new();
        let deed = move |_| {
            open.push(nats::Client::connect(&address)?);
            Ok(())
        };
        Ok(vec![Box::new(deed) as Deed])
    };
    Plan { clients: Box::new(clients), ..plan }
}

/// A configuration of caddy with one handler for all that is asked of it.
fn configure(plan: &Plan, dir: &Path, handler: &str) -> Result<()> {
    let admin = plan.ready.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let config = format!(
        r#"{{"admin":{{"listen":"{admin}"}},"storage":{{"module":"file_system","root":"{dir}"}},
"apps":{{"http":{{"servers":{{"site":{{"listen":["{site}"],"automatic_https":{{"disable":true}},"routes":[{{"handle":[{handler}]}}]}}}}}}}}}}"#,
        dir = dir.display(),
        site = plan.address
    );
    Ok(fs::write(dir.join("caddy.json"), config)?)
}

/// Uploads of 2 MB, which caddy reads whole before it sends them on to a server that takes connections and
/// neither reads nor answers.
fn buffered_uploads(plan: Plan, dir: &Path) -> Result<Plan> {
    let upstream = TcpListener::bind("127.0.0.1:0")?;
    let handler = format!(
        r#"{{"handler":"reverse_proxy","request_buffers":16777216,"upstreams":[{{"dial":"{}"}}]}}"#,
        upstream.local_addr()?
    );
    configure(&plan, dir, &handler)?;
    let address = plan.address.clone();
    let clients = move || {
        // As long as it listens the kernel takes connections in its name; the queue is long enough for all.
        let mut open = Vec::new();
        let accept: Deed = Box::new(move |_| {
            open.push(upstream.accept()?);
            Ok(())
        });
        let mut waiting = Vec::new();
        let body = vec![b'x'; 2 << 20];
        let upload: Deed = Box::new(move |i| {
            let mut to = TcpStream::connect(&address)?;
            write!(to, "POST /upload/{i} HTTP/1.1\r\nHost: lab\r\nContent-Length: {}\r\n\r\n", body.len())?;
            to.write_all(&body)?;
            waiting.push(to);
            rest(30);
            Ok(())
        });
        Ok(vec![accept, upload])
    };
    Ok(Plan { clients: Box::new(clients), ..plan })
}

/// Clients that ask for a large file, compressed, and read nothing of it.
fn slow_readers(plan: Plan, dir: &Path) -> Result<Plan> {
    let root = dir.join("large");
    fs::create_dir_all(&root)?;
    // Numbers without a pattern: compressed it is larger than what sockets take.
    let mut state = 1u64;
    let mut text = String::new();
    while text.len() < 24 << 20 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text += &format!("{state:016x}\n");
    }
    fs::write(root.join("large.txt"), text)?;
    let handler = format!(
        r#"{{"handler":"encode","encodings":{{"zstd":{{}}}}}},{{"handler":"file_server","root":"{}"}}"#,
        root.display()
    );
    configure(&plan, dir, &handler)?;
    let address = plan.address.clone();
    let clients = move || {
        let mut open = Vec::new();
        let deed = move |_| {
            let mut to = TcpStream::connect(&address)?;
            to.write_all(b"GET /large.txt HTTP/1.1\r\nHost: lab\r\nAccept-Encoding: zstd\r\n\r\n")?;
            open.push(to);
            rest(60);
            Ok(())
        };
        Ok(vec![Box::new(deed) as Deed])
    };
    Ok(Plan { clients: Box::new(clients), ..plan })
}

/// One request with a body without end, of which caddy makes its answer.
fn body_in_memory(plan: Plan, dir: &Path) -> Result<Plan> {
    configure(&plan, dir, r#"{"handler":"static_response","body":"you said {http.request.body}"}"#)?;
    let address = plan.address.clone();
    let clients = move || {
        let mut to = TcpStream::connect(&address)?;
        to.write_all(b"POST /echo HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        let mut chunk = format!("{:x}\r\n", 256 << 10).into_bytes();
        chunk.extend(vec![b'x'; 256 << 10]);
        chunk.extend(b"\r\n");
        let deed = move |_| {
            to.write_all(&chunk)?;
            rest(4);
            Ok(())
        };
        Ok(vec![Box::new(deed) as Deed])
    };
    Ok(Plan { clients: Box::new(clients), ..plan })
}

/// Values of 384 kB, each under a key of its own: etcd keeps the last thousands of proposals in memory.
fn large_puts(plan: Plan) -> Plan {
    let put = format!("http://{}/v3/kv/put", plan.address);
    let clients = move || {
        let value = "abcd".repeat(128 << 10);
        let one = |k: u64| -> Deed {
            let (web, put, value) = (Web::new(), put.clone(), value.clone());
            Box::new(move |i| {
                web.post(&put, &format!("{{\"key\":\"key{:05}\",\"value\":\"{value}\"}}", i * 2 + k))?;
                rest(10);
                Ok(())
            })
        };
        Ok((0..2).map(one).collect())
    };
    let mut args = plan.args;
    // The disk is not the matter.
    args.extend(["--unsafe-no-fsync".to_owned(), "--quota-backend-bytes=8589934592".to_owned()]);
    Plan { args, clients: Box::new(clients), ..plan }
}

/// Streams that watch one key each and stay open, through etcd's JSON gateway.
fn watchers(plan: Plan) -> Plan {
    let address = plan.address.clone();
    let clients = move || {
        let mut open = Vec::new();
        let deed = move |i: u64| {
            let mut to = TcpStream::connect(&address)?;
            // Eight letters or digits are six bytes in base64.
            let body = format!("{{\"create_request\":{{\"key\":\"key{:05}\"}}}}", i % 100_000);
            write!(to, "POST /v3/watch HTTP/1.1\r\nHost: lab\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
            // The answer begins when the watch stands.
            to.set_read_timeout(Some(Duration::from_secs(5)))?;
            to.read_exact(&mut [0])?;
            open.push(to);
            Ok(())
        };
        Ok(vec![Box::new(deed) as Deed])
    };
    Plan { clients: Box::new(clients), ..plan }
}

/// Lines of series that were never seen before, into victoria-metrics.
fn new_series(plan: Plan) -> Plan {
    let import = format!("http://{}/api/v1/import/prometheus", plan.address);
    let clients = move || {
        let web = Web::new();
        let deed = move |i: u64| {
            web.post(&import, &page(i * 1000, 1000))?;
            rest(10);
            Ok(())
        };
        Ok(vec![Box::new(deed) as Deed])
    };
    Plan { clients: Box::new(clients), ..plan }
}

/// A target that shows ten thousand series at each scrape, and others at the next: twice a second.
fn churn(plan: Plan, dir: &Path) -> Result<Plan> {
    let target = scrapes(dir)?;
    let clients = move || Ok(vec![serve(&target, |i| page(i * 10_000, 10_000))?]);
    Ok(Plan { clients: Box::new(clients), ..plan })
}

/// A target that shows the same ten thousand series at each scrape; after a while ever more queries at a time
/// for all of them.
fn queries(plan: Plan, dir: &Path) -> Result<Plan> {
    let target = scrapes(dir)?;
    let query = format!("http://{}/api/v1/query?query=lab_requests%5B1m%5D", plan.address);
    let clients = move || {
        let mut deeds = vec![serve(&target, |_| page(0, 10_000))?];
        for k in 0..16 {
            let (web, query) = (Web::new(), query.clone());
            deeds.push(Box::new(move |i| {
                if i == 0 {
                    rest(6000 + 500 * k);
                }
                web.get(&query).map(drop)
            }));
        }
        Ok(deeds)
    };
    Ok(Plan { clients: Box::new(clients), ..plan })
}

/// Has prometheus scrape one target twice a second; gives its address.
fn scrapes(dir: &Path) -> Result<String> {
    let target = free_address()?;
    let config = format!(
        "global:\n  scrape_interval: 500ms\n  scrape_timeout: 450ms\nscrape_configs:\n- job_name: lab\n  static_configs:\n  - targets: ['{target}']\n"
    );
    fs::write(dir.join("prometheus.yml"), config)?;
    Ok(target)
}

/// Answers one scrape after another with a page of that number.
fn serve(target: &str, page: impl Fn(u64) -> String + Send + 'static) -> Result<Deed> {
    let listener = TcpListener::bind(target)?;
    Ok(Box::new(move |i| {
        let (mut to, _) = listener.accept().context("a scrape")?;
        let mut asked = Vec::new();
        let mut part = [0; 4096];
        while !asked.ends_with(b"\r\n\r\n") {
            let n = to.read(&mut part)?;
            if n == 0 {
                bail!("it hung up");
            }
            asked.extend(&part[..n]);
        }
        let page = page(i);
        let head =
            format!("Content-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close", page.len());
        Ok(write!(to, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n{page}")?)
    }))
}

/// Lines in Prometheus' text format: so many series, of numbers from `from` on.
fn page(from: u64, count: u64) -> String {
    let line = |n: u64| {
        format!(
            "lab_requests{{host=\"host-{n}\",path=\"/api/v1/customers/{n}/orders\",pod=\"shop-5d8f7c9b4-{n}\",zone=\"eu-{}\"}} {n}\n",
            n % 3
        )
    };
    (from..from + count).map(line).collect()
}
