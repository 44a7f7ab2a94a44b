use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use lastgasp_incident::evidence::{Evidence, Query};
use lastgasp_store::events::{EventLimits, read};

use super::*;
use crate::config::{Preset, Time};

/// Answers each request by what `answer` makes of its first line.
fn serve(answer: impl Fn(&str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let mut reader = BufReader::new(stream);
            let (mut first, mut line) = (String::new(), String::new());
            while reader.read_line(&mut line).unwrap_or(0) > 2 {
                if first.is_empty() {
                    first = line.trim().to_owned();
                }
                line.clear();
            }
            let body = answer(&first);
            let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            let _ = reader.get_mut().write_all(text.as_bytes());
        }
    });
    url
}

fn taken(store: &tempfile::TempDir) -> Evidence {
    let mut evidence = Evidence::default();
    read(store.path(), &Query { now_unix_ms: i64::MAX, ..Query::default() }, &mut evidence);
    evidence
}

fn until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_page_is_read_and_its_series_stand_in_the_store() {
    let began = Instant::now();
    let url = serve(move |_| {
        let n = began.elapsed().as_millis();
        format!(
            "haproxy_backend_http_requests_total{{proxy=\"rs\"}} {n}\nhaproxy_backend_current_sessions{{proxy=\"rs\"}} 5\nhaproxy_backend_http_requests_total{{proxy=\"x\"}} 1\n"
        )
    });
    let store = tempfile::tempdir().unwrap();
    let events = Events::open(store.path(), EventLimits::default());
    let source = MetricsSource {
        is: MetricsType::Scrape,
        url,
        preset: Preset::Haproxy,
        select: "proxy=\"rs\"".into(),
        service: "rs".into(),
        every: Time(Duration::from_millis(300)),
        ..MetricsSource::default()
    };
    let mut all = Sources::start(&[("lb".to_owned(), source)].into(), events.clone());
    until("series", || taken(&store).series.len() >= 2);
    all.replace(&BTreeMap::new());
    let evidence = taken(&store);
    let rate = evidence.series.iter().find(|s| s.role == MetricRole::FirstAttempts).unwrap();
    assert_eq!((rate.source.as_str(), rate.unit.as_str(), rate.subject.service.as_str()), ("scrape:lb", "1/s", "rs"));
    // It counts milliseconds: a thousand a second, as far as a busy machine lets us read in time.
    let mut rates: Vec<f64> = rate.points.iter().map(|p| p.value).collect();
    rates.sort_by(f64::total_cmp);
    assert!((500.0..2000.0).contains(&rates[rates.len() / 2]), "{rates:?}");
    assert!(evidence.series.iter().all(|s| s.role != MetricRole::Timeouts && s.role != MetricRole::Retries));
    events.flush_feeds();
    let feed = &taken(&store).feeds[0];
    assert!(feed.metrics && !feed.connected && feed.holes[0].why.contains("taken out"), "{feed:?}");
}

#[test]
fn prometheus_is_asked_for_what_was_missed() {
    let url = serve(|line| {
        let parameter = |name: &str| -> f64 {
            let at = line.find(&format!("{name}=")).unwrap() + name.len() + 1;
            line[at..].split(['&', ' ']).next().unwrap().parse().unwrap()
        };
        if line.contains("broken") {
            return r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#.into();
        }
        let (start, end, step) = (parameter("start"), parameter("end"), parameter("step"));
        let mut points = Vec::new();
        let mut t = start;
        while t <= end {
            points.push(format!("[{t},\"42.5\"]"));
            t += step;
        }
        format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{}},"values":[{}]}}]}}}}"#,
            points.join(",")
        )
    });
    let store = tempfile::tempdir().unwrap();
    let events = Events::open(store.path(), EventLimits::default());
    let mut source = MetricsSource { url, every: Time(Duration::from_secs(1)), ..MetricsSource::default() };
    source.roles.retries = "sum(rate(r[1m]))".into();
    source.roles.errors = "broken(".into();
    let mut all = Sources::start(&[("p".to_owned(), source)].into(), events);
    until("series", || taken(&store).series.iter().any(|s| s.points.len() > 500));
    all.replace(&BTreeMap::new());
    let series = taken(&store).series;
    assert_eq!(series.len(), 1, "a query that is refused is unknown, and costs no other");
    let points = &series[0].points;
    assert!(points.windows(2).all(|w| w[1].unix_ms - w[0].unix_ms == 1000) && points[0].value == 42.5);
}

#[test]
fn answers_of_prometheus() {
    let points = |body: &str| api::points(body.as_bytes());
    let two = r#"{"status":"success","data":{"result":[{"values":[[1.5,"1"],[2.5,"NaN"]]},{"values":[[1.5,"2"]]}]}}"#;
    assert_eq!(points(two).unwrap(), [(1500, 3.0)]);
    assert!(points(r#"{"status":"error","error":"no"}"#).unwrap_err().contains("no"));
    assert!(points("[]").is_err() && points("").is_err() && points(r#"{"status":"success"}"#).is_err());
    assert_eq!(points(r#"{"status":"success","data":{"result":[]}}"#).unwrap(), []);
    assert_eq!(
        points(
            r#"{"status":"success","data":{"result":[{"value":[7,"8"]},{"value":7},{"values":[[1e300,"1"],["x"]]}]}}"#
        )
        .unwrap(),
        [(7000, 8.0)]
    );
}
