use proptest::prelude::*;

use super::*;
use crate::backend::lab::litmus::ast::{Modification, Observable, Operator, Proposition, Quantifier};
use crate::model::litmus::Order;

fn body(statements: &str) -> Result<Test, ParseError> {
    parse("t", &format!("C t\n{{}}\nP0 (atomic_int* x, int* d) {{\n{statements}\n}}\nexists (x=0)\n"))
}

fn ops(statements: &str) -> Vec<Op> {
    body(statements).unwrap().threads.remove(0).body
}

#[test]
fn a_whole_test() {
    let text = "C MP+x \"passing\"\nCom=Rf Fr\n(* what it\n teaches *)\n{ [x]=1; y=-2; int z=0x10; }\n\
        P0 (atomic_int* x, volatile int* d) { *d = 1; }\n(* between *)\n\
        P1 (_Atomic(int)* y) { int r1; int r0 = atomic_load_explicit(y,memory_order_acquire); }\n\
        locations [d; 1:r1;]\n~exists (1:r0=-1 /\\ ([x]=1 \\/ ~ y=2))\n";
    let test = parse("f", text).unwrap();
    assert_eq!((test.name.as_str(), test.headline.as_str()), ("MP+x", "passing"));
    assert_eq!(test.comment, "what it teaches");
    assert_eq!(test.keys, [("Com".to_owned(), "Rf Fr".to_owned())]);
    let initial: Vec<_> = test.locations.iter().map(|p| (p.name.as_str(), p.initial)).collect();
    assert_eq!(initial, [("x", 1), ("y", -2), ("z", 16), ("d", 0)]);
    assert_eq!(test.condition.quantifier, Quantifier::NotExists);
    assert_eq!(test.condition.text, "~exists (1:r0=-1 /\\ ([x]=1 \\/ ~([y]=2)))");
    assert_eq!(test.state_text(&[1, 2, 3, 4, 5]), "1:r0=1; 1:r1=2; [d]=3; [x]=4; [y]=5;");
    assert!(test.condition.proposition.holds(&[-1, 0, 0, 0, 1]));
    assert!(!test.condition.proposition.holds(&[-1, 0, 0, 0, 2]));
    assert_eq!(test.observed[0], Observable::Register(1, Register(1)));
}

#[test]
fn every_statement() {
    let (x, d) = (Location(0), Location(1));
    let (plain, sc) = (Order::Plain, Order::SeqCst);
    let one = Expression::Constant(1);
    assert_eq!(ops("*d = 1;"), [Op::Store { to: d, value: one.clone(), order: plain }]);
    assert_eq!(ops("int r = *d;"), [Op::Load { to: Register(0), from: d, order: plain }]);
    assert_eq!(ops("int r = (*d);"), ops("int r = *d;"), "no comment inside a body");
    assert_eq!(ops("(* note *) int r = *d; // note\n/* note */"), ops("int r = *d;"));
    assert_eq!(ops("int r = atomic_load(x);"), [Op::Load { to: Register(0), from: x, order: sc }]);
    assert_eq!(ops("atomic_store(x,1);"), [Op::Store { to: x, value: one.clone(), order: sc }]);
    assert_eq!(ops("atomic_thread_fence(memory_order_acq_rel);"), [Op::Fence { order: Order::AcqRel }]);
    for (name, kind) in [
        ("exchange", Modification::Swap),
        ("fetch_add", Modification::Add),
        ("fetch_sub", Modification::Sub),
        ("fetch_and", Modification::And),
        ("fetch_or", Modification::Or),
        ("fetch_xor", Modification::Xor),
    ] {
        let expected = Op::Modify { old: Register(0), at: x, kind, operand: one.clone(), order: Order::Release };
        assert_eq!(
            ops(&format!("int r = atomic_{name}_explicit(x,1,memory_order_release);")),
            std::slice::from_ref(&expected)
        );
        assert_eq!(ops(&format!("atomic_{name}_explicit(x,1,memory_order_release);")), [expected]);
    }
}

#[test]
fn compare_exchange_reports_what_it_found() {
    let found = ops("int r = atomic_compare_exchange_weak_explicit(x,d,1,memory_order_acq_rel,memory_order_acquire);");
    let [
        Op::Load { from: Location(1), order: Order::Plain, .. },
        Op::CompareExchange(exchange),
        Op::If { otherwise, .. },
        Op::Set { .. },
    ] = found.as_slice()
    else {
        panic!("{found:?}")
    };
    assert!(exchange.weak);
    assert_eq!((exchange.order, exchange.failure), (Order::AcqRel, Order::Acquire));
    assert!(matches!(otherwise[..], [Op::Store { to: Location(1), order: Order::Plain, .. }]));
    let found = ops("int e = 0; int r = atomic_compare_exchange_strong(x,&e,1);");
    assert!(matches!(found[1], Op::CompareExchange(ref exchange) if !exchange.weak && exchange.order == Order::SeqCst));
}

#[test]
fn control_flow_and_precedence() {
    let found = ops("int r0 = 1; if (r0 + 1 == 2 & r0) { *d = 1; } else if (!r0) *d = 2; else { }");
    let Op::If { condition, then, otherwise } = &found[1] else { panic!("{found:?}") };
    assert_eq!(condition.evaluate(&|_| 1), 1);
    assert_eq!(condition.evaluate(&|_| 3), 0);
    assert!(matches!(condition, Expression::Binary(Operator::And, ..)));
    assert_eq!((then.len(), otherwise.len()), (1, 1));
    let value = |text: &str| match ops(&format!("int r = {text};")).remove(0) {
        Op::Set { value, .. } => value.evaluate(&|_| 0),
        other => panic!("{other:?}"),
    };
    for (text, expected) in [
        ("1 + 2 * 3 - 4", 3),
        ("(1 ^ 3) | 4", 6),
        ("1 < 2 == 1", 1),
        ("~0 & 5", 5),
        ("-2147483648", i32::MIN),
        ("2147483647 + 1", i32::MIN),
        ("2 && 4", 1),
        ("0 || 8", 1),
        ("!5", 0),
        ("3 >= 3", 1),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn errors_name_line_and_column_and_what_was_expected() {
    let cases = [
        ("", "1:1: expected 'C' and the test's name, found nothing"),
        ("X86 SB\n{}", "1:1: expected 'C' and the test's name, found 'X86': only the C dialect is read"),
        ("C a\n{}\nexists (x=1)", "3:1: expected a thread: 'P0 (…) { … }', found 'exists'"),
        ("C a\n{}\nP1 () {}\nexists (x=1)", "3:1: expected thread P0, found P1"),
        ("C a\n{ 0:r0=1; }", "2:3: registers have no initial values: set them in the thread's body"),
        ("C a\n{ x=99999999999; }", "2:5: '99999999999' is no number that fits an int"),
        ("C a\n(* open", "2:1: this '(*' is never closed by '*)'"),
        ("C a\n{}\nP0 (int x) {}", "3:9: expected '*': every parameter is a pointer to a shared location, found 'x'"),
        ("C a\n{}\nP0 (int* x) {\n *x = r9;\n}", "4:7: no register 'r9' in this thread; expected a value"),
        ("C a\n{}\nP0 (int* x) {\n r0 = 1;\n}", "4:2: 'r0' is not declared: expected a statement, or 'int r0 = …;'"),
        ("C a\n{}\nP0 (int* x) {\n x = 1;\n}", "4:2: 'x' is a pointer here: write '*x = …;'"),
        ("C a\n{}\nP0 (int* x) { while (1) {} }", "3:15: loops are not read: a litmus test is loop-free"),
        ("C a\n{}\nP0 (int* x) { *y = 1; }", "3:16: 'y' is no parameter of this thread"),
        ("C a\n{}\nP0 (int* x) { *x = 1 }", "3:22: expected ';', found '}'"),
        (
            "C a\n{}\nP0 (int* x) { *x = 1; }",
            "3:24: expected the next thread, 'exists', '~exists' or 'forall', found the end of the file",
        ),
        ("C a\n{}\nP0 (int* x) { *x = 1; }\nexists (0:r0=1)", "4:11: thread 0 has no register 'r0'"),
        ("C a\n{}\nP0 (int* x) { *x = 1; }\nexists (1:r0=1)", "4:9: no thread 1: the last one is 0"),
        ("C a\n{}\nP0 (int* x) { *x = 1; }\nexists (y=1)", "4:9: no shared location 'y'"),
        ("C a\n{}\nP0 (int* x) { *x = 1; }\nexists (x=1", "4:12: expected ')', found the end of the file"),
        (
            "C a\n{}\nP0 (int* x) { *x = 1; }\nexists (x=1) y",
            "4:14: expected '/\\', '\\/' or the end of the file, found 'y'",
        ),
        (
            "C a\n{}\nP0 (atomic_int* x) { atomic_store_explicit(x,1,memory_order_acquire); }",
            "3:48: a store cannot be ordered so; expected memory_order_relaxed, memory_order_release, memory_order_seq_cst",
        ),
        ("C \u{1b}[31m\n{}\nP0 (\u{1b}", "3:5: '\\x1b' does not belong here"),
    ];
    let wrong: Vec<_> = cases
        .iter()
        .map(|(text, message)| (parse("f", text).unwrap_err().to_string(), format!("f:{message}"), text))
        .filter(|(got, expected, _)| got != expected)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn limits_are_stated() {
    let deep = format!("int r = {}1{};", "(".repeat(5000), ")".repeat(5000));
    assert!(body(&deep).unwrap_err().what.contains("nested deeper than 32 levels"));
    let blocks = format!("{}{}", "if (1) {".repeat(4000), "}".repeat(4000));
    assert!(body(&blocks).unwrap_err().what.contains("nested deeper"));
    let unary = format!("int r = {}1;", "!".repeat(5000));
    assert!(body(&unary).unwrap_err().what.contains("nested deeper"));
    let long = format!("int r = 1{};", " + 1".repeat(5000));
    assert!(body(&long).unwrap_err().what.contains("more than 256 operators"));
    assert!(body(&"*d = 1;".repeat(200)).unwrap_err().what.contains("more than 128 operations"));
    let many = (0..100).map(|n| format!("int r{n} = 1;")).collect::<Vec<_>>().concat();
    assert!(body(&many).unwrap_err().what.contains("more than 64 registers"));
    let threads = (0..9).map(|n| format!("P{n} (int* x) {{}}\n")).collect::<Vec<_>>().concat();
    assert!(parse("f", &format!("C a\n{{}}\n{threads}exists (x=0)")).unwrap_err().what.contains("more than 8 threads"));
    let huge = "x".repeat(Limits::BYTES + 1);
    assert!(parse("f", &huge).unwrap_err().what.contains("at most 65536 are read"));
}

#[test]
fn a_conjunction_is_shown_once_whatever_its_parentheses() {
    let text = "C a\n{}\nP0 (int* x) {}\nforall ((x=1) \\/ (x=2 /\\ (x=3)))";
    let test = parse("f", text).unwrap();
    assert_eq!(test.condition.text, "forall ([x]=1 \\/ [x]=2 /\\ [x]=3)");
    assert!(matches!(test.condition.proposition, Proposition::Or(..)));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*") {
        let _ = parse("f", &text);
    }

    #[test]
    fn no_mixture_of_its_own_words_makes_the_parser_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "C", "a", "{", "}", "(", ")", "P0", "P1", "int", "atomic_int", "*", "x", "r0", "=", ";", ",", "if", "else",
            "1", "-", "atomic_load", "atomic_store_explicit", "atomic_compare_exchange_strong", "memory_order_relaxed",
            "exists", "~", "forall", "0", ":", "[", "]", "/\\", "\\/", "(*", "*)", "&", "\"", "\n", "atomic_fetch_add",
        ]), 0..80),
        body in any::<bool>(),
    ) {
        let words = words.join(" ");
        let text = if body {
            format!("C a\n{{}}\nP0 (atomic_int* x) {{ int r0 = 0; {words} }}\nexists (x=1)")
        } else {
            words
        };
        let _ = parse("f", &text);
    }
}
