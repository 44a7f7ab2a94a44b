//! Functions as lists of what their instructions do, and what they say.

use lastgasp_inferior::{Addr, AddrRange};
use rustc_hash::FxHashSet;

use super::callees::Callee;
use super::flow::Flow;
use super::local::{Local, Returned, WordPath};
use super::said::Said;
use super::signature::{Receiver, Signature};
use super::values::Origin;
use crate::arch::{Act, Operand, Place, Step};
use crate::types::TypeReader;
use crate::types::tests::{LEN, Section, TYPES, runtime};

const RAX: u8 = 0;
const RBX: u8 = 1;
const RCX: u8 = 2;
const VARIABLE: Addr = Addr(0x9000);
const TYPE: Addr = Addr(0x7000);
const OTHER: Addr = Addr(0x7100);
const MAKE_MAP_SMALL: Addr = Addr(0x100);
const ASSIGN: Addr = Addr(0x200);
const BARRIER: Addr = Addr(0x300);
const NEW: Addr = Addr(0x400);
const BUILD: Addr = Addr(0x500);

fn callee(at: Addr) -> Option<Callee> {
    match at {
        ASSIGN => Some(Callee::UsesMap),
        BARRIER => Some(Callee::Keeps(1 << 8)),
        NEW => Some(Callee::New(0)),
        _ => None,
    }
}

/// The instruction of a number stands at 0x1000 and four bytes on for each.
fn at(index: u64) -> Addr {
    Addr(0x1000 + index * 4)
}

fn steps(acts: &[Act]) -> Vec<Step> {
    (0..).zip(acts).map(|(i, act)| Step { at: at(i), next: at(i + 1), act: *act }).collect()
}

fn local_of(acts: &[Act]) -> Option<Local> {
    let wanted: FxHashSet<Addr> = (0..acts.len() as u64).map(|i| at(i + 1)).collect();
    Flow::of(&steps(acts), &callee, &wanted).map(Local::of)
}

/// What is said of words, and which of them get which results.
type Words = (Vec<(WordPath, Said)>, Vec<(WordPath, Returned)>);

fn words(acts: &[Act]) -> Words {
    let (mut said, mut results) = (Vec::new(), Vec::new());
    let variables = AddrRange::sized(VARIABLE, 64);
    local_of(acts).unwrap().words(variables, &mut said, &mut results);
    (said, results)
}

fn load(to: u8, from: Place) -> Act {
    Act::Load { to, from }
}

fn store(to: Place, from: u8) -> Act {
    Act::Store { to, from }
}

fn address(to: u8, of: Addr) -> Act {
    Act::Address { to, of: Place::Static(of) }
}

const VAR: Place = Place::Static(VARIABLE);

#[test]
fn a_variable_of_which_a_map_is_used() {
    let acts = [load(RBX, VAR), address(RAX, TYPE), Act::Call(Some(ASSIGN)), Act::Return];
    assert_eq!(words(&acts).0, [(WordPath { at: VARIABLE, offsets: vec![] }, Said::Map(TYPE))]);
    // cache.entries["x"]: a field of what the variable points to.
    let field =
        [load(RCX, VAR), load(RBX, Place::Behind(RCX, 0x28)), address(RAX, TYPE), Act::Call(Some(ASSIGN)), Act::Return];
    assert_eq!(words(&field).0, [(WordPath { at: VARIABLE, offsets: vec![0x28] }, Said::Map(TYPE))]);
}

#[test]
fn what_is_made_in_front_of_a_loop_is_known_in_it_and_behind() {
    // m := map[K]V{}; for ... { m[k] = v }; variable = m; return m
    let slot = Place::Stack(0x10);
    let acts = [
        Act::Call(Some(MAKE_MAP_SMALL)),
        store(slot, RAX),
        load(RBX, slot),
        address(RAX, TYPE),
        Act::Call(Some(ASSIGN)),
        Act::Jump { to: at(2), maybe: true },
        load(RAX, slot),
        Act::Jump { to: at(9), maybe: true },
        Act::Call(Some(BARRIER)),
        store(VAR, RAX),
        Act::Return,
    ];
    assert_eq!(words(&acts).0, [(WordPath { at: VARIABLE, offsets: vec![] }, Said::Map(TYPE))]);
    let local = local_of(&acts).unwrap();
    assert_eq!(local.results()[0], Returned::Said(Said::Map(TYPE)));
    // The call in the loop: the map stands in its slot.
    let frame = local.frames().iter().find(|call| call.returns_to == at(5)).unwrap();
    let slots: Vec<(i32, Returned)> = frame.slots.iter().map(|(at, v)| (*at, local.returned(*v))).collect();
    assert_eq!(slots, [(0x10, Returned::Said(Said::Map(TYPE)))]);
}

#[test]
fn what_differs_where_two_ways_meet_is_not_known() {
    let acts = [
        address(RAX, TYPE),
        Act::Call(Some(NEW)),
        Act::Jump { to: at(5), maybe: true },
        address(RAX, OTHER),
        Act::Call(Some(NEW)),
        store(VAR, RAX),
        Act::Return,
    ];
    assert_eq!(words(&acts), (vec![], vec![]));
    assert_eq!(local_of(&acts).unwrap().results()[0], Returned::Nothing);
}

#[test]
fn a_list_that_a_loop_puts_together_is_of_one_type() {
    // first := new(T); last := first; for ... { next := new(T); last = next }; variable = last
    let slot = Place::Stack(0x10);
    let of = |first: Act| {
        [
            address(RAX, TYPE),
            first,
            store(slot, RAX),
            address(RAX, TYPE),
            Act::Call(Some(NEW)),
            store(slot, RAX),
            Act::Jump { to: at(3), maybe: true },
            load(RCX, slot),
            store(VAR, RCX),
            Act::Return,
        ]
    };
    let said = vec![(WordPath { at: VARIABLE, offsets: vec![] }, Said::Pointer(TYPE))];
    assert_eq!(words(&of(Act::Call(Some(NEW)))).0, said);
    // var last *T: nil in front of the loop, which may not be entered.
    let acts = [
        Act::Zero { to: RAX },
        store(slot, RAX),
        Act::Jump { to: at(6), maybe: true },
        address(RAX, TYPE),
        Act::Call(Some(NEW)),
        store(slot, RAX),
        load(RCX, slot),
        store(VAR, RCX),
        Act::Return,
    ];
    assert_eq!(words(&acts).0, said);
    // Nil alone is of no type, and says nothing of the word where it is put.
    let acts = [address(RCX, TYPE), Act::Zero { to: RAX }, store(VAR, RAX), Act::Move { to: RBX, from: RAX }];
    let acts = [&acts[..], &[Act::Move { to: RAX, from: RCX }, Act::Call(Some(ASSIGN)), Act::Return]].concat();
    assert_eq!(words(&acts), (vec![], vec![]));
}

#[test]
fn a_slice_of_an_array_points_into_it() {
    // part := make([]T, n)[5:8:8]; f(); and of what a function returns
    let (makes, slot) = (Addr(0x600), Place::Stack(0x10));
    let moved = Act::Address { to: RAX, of: Place::Behind(RAX, 0x28) };
    let known = |at: Addr| if at == makes { Some(Callee::Array(0)) } else { callee(at) };
    let of = |call: Addr| {
        let acts = [address(RAX, TYPE), Act::Call(Some(call)), moved, store(slot, RAX), Act::Call(None), Act::Return];
        let local = Local::of(Flow::of(&steps(&acts), &known, &[at(5)].into_iter().collect()).unwrap());
        local.frames().first().unwrap().slots.iter().map(|(_, value)| local.returned(*value)).collect::<Vec<_>>()
    };
    assert_eq!(of(makes), [Returned::Said(Said::Within(TYPE))]);
    assert_eq!(of(BUILD), [Returned::BehindResult(BUILD, 0)]);
    // Into one value: its field, of which nothing is said.
    assert_eq!(of(NEW), [Returned::Nothing]);
    // A variable, too: its type is a slice's.
    let acts = [address(RAX, TYPE), Act::Call(Some(BUILD)), moved, store(VAR, RAX), Act::Return];
    let path = WordPath { at: VARIABLE, offsets: vec![] };
    assert_eq!(words(&acts), (vec![], vec![(path, Returned::BehindResult(BUILD, 0))]));
}

#[test]
fn what_a_closure_captures_is_of_the_type_that_is_made_for_it() {
    let code = AddrRange::sized(BUILD, 64);
    let closures = |acts: &[Act]| {
        let mut all = Vec::new();
        local_of(acts).unwrap().closures(code, &mut all);
        all
    };
    let made = [address(RAX, TYPE), Act::Call(Some(NEW)), address(RCX, BUILD)];
    let into = |to: Place| [&made[..], &[store(to, RCX), Act::Return]].concat();
    assert_eq!(closures(&into(Place::Behind(RAX, 0))), [(BUILD, TYPE)]);
    // Another word of it, another object, and an address that is no code's.
    assert_eq!(closures(&into(Place::Behind(RAX, 8))), []);
    assert_eq!(closures(&into(Place::Behind(RBX, 0))), []);
    let other = [&made[..2], &[address(RCX, OTHER), store(Place::Behind(RAX, 0), RCX), Act::Return]].concat();
    assert_eq!(closures(&other), []);
}

#[test]
fn a_slot_that_was_written_to_holds_something_else() {
    let slot = Place::Stack(8);
    for between in [
        Act::Overwrite { to: Place::Stack(12), bytes: 8 },
        Act::Address { to: RCX, of: slot },
        Act::Stack { by: 32, lost: 0 },
        Act::LoseStack,
    ] {
        let acts = [
            address(RAX, TYPE),
            Act::Call(Some(NEW)),
            store(slot, RAX),
            between,
            load(RBX, slot),
            store(VAR, RBX),
            Act::Return,
        ];
        assert_eq!(words(&acts), (vec![], vec![]), "{between:?}");
    }
}

#[test]
fn the_second_word_of_an_interface_says_nothing() {
    // if x, ok := variable.(map[K]V); ok { x[k] = v }
    let behind = Place::Static(VARIABLE.plus(8));
    let acts = [
        load(RCX, VAR),
        address(RAX, TYPE),
        Act::Compare { left: Operand::Register(RCX), right: Operand::Register(RAX) },
        Act::Jump { to: at(7), maybe: true },
        load(RBX, behind),
        address(RAX, TYPE),
        Act::Call(Some(ASSIGN)),
        Act::Return,
    ];
    assert_eq!(words(&acts), (vec![], vec![]));
    // var x any = new(T); *and* x = makeOther(): the second is no T.
    let acts = [
        address(RAX, TYPE),
        Act::Call(Some(NEW)),
        address(RCX, TYPE),
        store(VAR, RCX),
        store(behind, RAX),
        Act::Call(Some(BUILD)),
        store(behind, RAX),
        Act::Return,
    ];
    assert_eq!(words(&acts), (vec![], vec![]));
}

#[test]
fn an_interface_that_is_returned_says_nothing() {
    let acts =
        [address(RAX, TYPE), Act::Call(Some(NEW)), Act::Move { to: RBX, from: RAX }, address(RAX, OTHER), Act::Return];
    assert_eq!(local_of(&acts).unwrap().results()[1], Returned::Nothing);
}

#[test]
fn a_result_is_of_whoever_returned_it() {
    let acts = [Act::Call(Some(BUILD)), store(VAR, RBX), Act::Return];
    assert_eq!(words(&acts), (vec![], vec![(WordPath { at: VARIABLE, offsets: vec![] }, Returned::Result(BUILD, 1))]));
}

#[test]
fn uses_that_disagree_say_nothing() {
    let acts = [
        load(RBX, VAR),
        address(RAX, TYPE),
        Act::Call(Some(ASSIGN)),
        load(RBX, VAR),
        address(RAX, OTHER),
        Act::Call(Some(ASSIGN)),
        Act::Return,
    ];
    assert_eq!(words(&acts).0, [(WordPath { at: VARIABLE, offsets: vec![] }, Said::Unclear)]);
    // Two different things are put there.
    let acts = [
        address(RAX, TYPE),
        Act::Call(Some(NEW)),
        store(VAR, RAX),
        address(RAX, OTHER),
        Act::Call(Some(NEW)),
        store(VAR, RAX),
        Act::Return,
    ];
    let path = WordPath { at: VARIABLE, offsets: vec![] };
    assert!([TYPE, OTHER].iter().all(|of| words(&acts).0.contains(&(path.clone(), Said::Pointer(*of)))));
}

#[test]
fn a_jump_to_nobody_knows_where_ends_it() {
    assert!(local_of(&[load(RBX, VAR), Act::Away]).is_none());
    assert!(local_of(&[]).is_some_and(|nothing| nothing.frames().is_empty()));
    assert!(local_of(&[Act::Jump { to: Addr(u64::MAX), maybe: false }]).is_some());
}

#[test]
fn an_argument_stands_where_it_was_put_and_is_handed_on() {
    let acts = [store(Place::Stack(8), RAX), Act::Move { to: RBX, from: RAX }, Act::Call(Some(BUILD)), Act::Return];
    let local = local_of(&acts).unwrap();
    let call = local.frames().first().unwrap();
    let [(8, value)] = call.slots[..] else { panic!("{:?}", call.slots) };
    assert_eq!((local.origin(value), call.target), (Some(Origin::Argument(0)), Some(BUILD)));
    assert_eq!(call.arguments[usize::from(RBX)], value);
}

/// `func (*T) (s string, f float64, list []T, p *T, two [2]T, q *string, t string, last *T) (int, *T)`: what
/// does not fit whole goes to the stack, and what comes behind it is in registers again.
#[test]
fn arguments_are_in_registers_as_they_fit() {
    let mut section = Section(vec![0; LEN]);
    let name = section.name(TYPES + 0x100, "main.T");
    let at = |n: u64| TYPES + 0x1000 + n * 0x100;
    let (of, pointer, text, slice, two, texts, number) = (at(0), at(1), at(2), at(3), at(4), at(5), at(6));
    section.describe(of, (8, 0), 14, name, &[]);
    section.describe(pointer, (8, 8), 22, name, &[(48, of)]);
    section.describe(text, (16, 8), 24, name, &[]);
    section.describe(slice, (24, 8), 23, name, &[(48, of)]);
    section.describe(two, (16, 0), 17, name, &[(48, of), (64, 2)]);
    section.describe(texts, (8, 8), 22, name, &[(48, text)]);
    section.describe(number, (8, 0), 2, name, &[]);
    let types = [text, of, slice, pointer, two, texts, text, pointer, number, pointer];
    let mut more = vec![(48, 8 | 2 << 16)];
    more.extend((0..).zip(types).map(|(i, at)| (56 + i * 8, at)));
    let function = at(7);
    section.describe(function, (8, 8), 19, name, &more);
    let rt = runtime(26);
    let mut types = TypeReader::new(&rt, &section);
    let found = Signature::of_method(&mut types, Receiver::Pointer(Addr(of)), Some(Addr(function)));
    let (of, text) = (Said::Pointer(Addr(of)), Said::Pointer(Addr(text)));
    let Said::Pointer(elem) = of else { unreachable!() };
    let slice = Some(Said::Slice(elem));
    let want = [Some(of), Some(Said::String), None, slice, None, None, Some(of), Some(text), Some(of)];
    assert_eq!(found.arguments, want);
    assert_eq!(found.results[..3], [None, Some(of), None]);
    // Without its type the receiver is known, and of what is no function's type nothing is taken.
    for nothing in [None, Some(elem)] {
        let found = Signature::of_method(&mut types, Receiver::Pointer(elem), nothing);
        assert_eq!((found.argument(0), found.argument(1), found.result(0)), (Some(of), None, None));
    }
}
