use super::*;

const LEAST: &str = "title = \"t\"\nfamily = \"f\"\n[truth]\nkind = \"none\"\nlives = true\n";

fn fault(text: &str) -> String {
    format!("{:#}", Scenario::of(text, "test").unwrap_err())
}

/// The least scenario with lines before its truth.
fn with(lines: &str) -> String {
    let (head, truth) = LEAST.split_once("[truth]").unwrap();
    format!("{head}{lines}\n[truth]{truth}")
}

#[test]
fn the_least_scenario_is_the_world_of_the_notes() {
    let s = Scenario::of(LEAST, "least").unwrap();
    assert_eq!((s.name.as_str(), s.service.instances, s.versions().len()), ("least", 4, 1));
    assert_eq!(s.caller.keys().collect::<Vec<_>>(), ["play-page-gateway", "tianma"]);
    let names: Vec<String> = s.instances().into_iter().map(|(n, _)| n).collect();
    assert_eq!(
        names,
        ["resource-service-dc-a-1", "resource-service-dc-b-1", "resource-service-dc-a-2", "resource-service-dc-b-2"]
    );
}

#[test]
fn what_is_misspelt_is_said_with_its_line() {
    let said = fault(&with("[service]\ninstance = 4"));
    assert!(said.contains("instance") && said.contains("line 4"), "{said}");
    assert!(fault(&with("[[do]]\nat = \"1s\"\npublsh = { key = \"ugctab\", count = 1 }")).contains("publsh"));
    assert!(fault(&with("[service]\nlimit = \"many\"")).contains("320M"));
    assert!(fault("title = \"t\"").contains("truth") || fault("title = \"t\"").contains("family"));
}

#[test]
fn names_that_nobody_has_are_told_with_those_there_are() {
    let said = fault(&with("[[do]]\nat = \"1s\"\npublish = { key = \"banlist\", count = 1 }"));
    assert!(said.contains("no key \"banlist\"") && said.contains("ugctab") && said.contains("at 1000 ms"), "{said}");
    let said = fault(&with("[[do]]\nat = \"1s\"\nrestart = { instances = \"dc-c\" }"));
    assert!(said.contains("dc-c") && said.contains("resource-service-dc-a-1"), "{said}");
    let said = fault(&with("[[do]]\nat = \"1s\"\nload = { caller = \"nobody\", times = 2 }"));
    assert!(said.contains("tianma"), "{said}");
    let said = fault(&with("[version.\"1.41.0\"]\nbugs = [{ kind = \"flood\" }]"));
    assert!(said.contains("goroutines-mutex"), "{said}");
    assert!(fault(&with("[version.\"9.9.9\"]\nsymbols = true")).contains("nothing deploys it"));
}

#[test]
fn one_action_each_and_within_the_play() {
    assert!(fault(&with("[[do]]\nat = \"1s\"")).contains("nothing is done"));
    let two = "[[do]]\nat = \"1s\"\nkill = {}\nrestart = {}";
    assert!(fault(&with(two)).contains("restart and kill"));
    assert!(fault(&with("[[do]]\nat = \"46s\"\nkill = {}")).contains("after the end"));
    assert!(
        fault(&with("[[do]]\nid = \"a\"\nat = \"1s\"\nkill = {}\n[[do]]\nid = \"a\"\nat = \"2s\"\nkill = {}"))
            .contains("two actions")
    );
}

#[test]
fn worlds_that_fit_no_machine_are_refused() {
    assert!(fault(&with("[service]\ninstances = 99")).contains("1 to 16"));
    assert!(fault(&with("[service]\nlimit = \"8G\"")).contains("together"));
    assert!(fault(&with("[service]\nbase = \"400M\"")).contains("service.limit"));
    assert!(fault(&with("[caller.tianma]\nrate = 1e9")).contains("rate"));
    assert!(fault(&with("[[do]]\nat = \"1s\"\nload = { times = 1e9 }")).contains("load"));
}

#[test]
fn truth_is_one_that_a_verdict_can_say() {
    assert!(fault(&LEAST.replace("\"none\"", "\"weather\"")).contains("goroutine-leak"));
    assert!(fault(&LEAST.replace("lives = true", "")).contains("lives"));
    assert!(fault(&format!("{LEAST}at = \"nothing\"\n")).contains("truth.at"));
    let text = with("[[do]]\nid = \"push\"\nat = \"9s\"\npublish = { key = \"ugctab\", count = 230000 }");
    let s = Scenario::of(&format!("{text}at = \"push\"\n"), "t").unwrap();
    assert_eq!(s.truth_at(), Some(Span::ms(9000)));
    let s = Scenario::of(&format!("{LEAST}at = \"3s\"\n"), "t").unwrap();
    assert_eq!(s.truth_at(), Some(Span::ms(3000)));
}

#[test]
fn actions_come_in_the_order_of_time_and_pick_in_four_ways() {
    let text = with(
        "[[do]]\nat = \"9s\"\nkill = { instances = 2 }\n[[do]]\nat = \"3s\"\nkill = { instances = \"dc-b\" }\n[[do]]\nat = \"2s\"\nkill = { instances = [\"dc-a\", \"resource-service-dc-b-1\"] }\n[[do]]\nat = \"1s\"\nkill = {}",
    );
    let s = Scenario::of(&text, "t").unwrap();
    let picks: Vec<&Pick> = s.acts.iter().map(|a| &a.kill.as_ref().unwrap().instances).collect();
    assert!(matches!(picks[..], [Pick::All, Pick::Several(_), Pick::Named(_), Pick::Some(2)]), "{picks:?}");
}

#[test]
fn a_seed_moves_numbers_and_not_shapes() {
    let text = with("[[do]]\nat = \"9s\"\nid = \"a\"\npublish = { key = \"ugctab\", count = 230000 }");
    let of = |seed| Scenario::of(&text, "t").unwrap().seeded(seed);
    let (zero, one, again, two) = (of(0), of(1), of(1), of(2));
    let numbers = |s: &Scenario| (s.acts[0].at, s.acts[0].publish.as_ref().unwrap().count, s.service.limit);
    assert_eq!(numbers(&zero), (Span::ms(9000), 230_000, Size::mib(224)));
    assert_eq!(numbers(&one), numbers(&again));
    assert_ne!(numbers(&one), numbers(&two));
    assert_ne!(numbers(&one), numbers(&zero));
    assert_eq!(one.acts[0].id, "a");
}

#[test]
fn names_fit_in_whatever_case() {
    assert!(Names::Any.fit("whatever"));
    assert!(Names::One("UgcTab".into()).fit("/config/resource-service/ugctab"));
    assert!(Names::Several(vec!["x1".into(), "avid".into()]).fit("main.buildAvidMap"));
    assert!(!Names::One("ugctab".into()).fit("banlist"));
}
