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
        ("C a\n{ 3:r0=1; }\nP0 (int* x) {}\nexists (x=0)", "2:3: no thread 3: the last one is 0"),
        ("C a\n{ int *p = &x; }", "2:12: pointers as values are not read: a location holds an int"),
        (
            "C a\n{}\nP0 (atomic_int* x) { int r0 = atomic_load_explicit(x,memory_order_consume); }",
            "3:54: memory_order_consume is not judged: C++ has given it up; compilers make memory_order_acquire of it",
        ),
        (
            "C a\n{}\nP0 (atomic_int* x) { int r0 = 0; atomic_store(x + r0, 1); }",
            "3:49: addresses are not computed: an access names one location, with nothing added to it",
        ),
        (
            "C a\n{}\nP0 (int* x) { int r0 = 0; int r1 = *(x + r0); }",
            "3:40: addresses are not computed: an access names one location, with nothing added to it",
        ),
        ("C a\n{ int x[2]; }", "2:8: expected ';' or '}', found '['"),
        ("C a\n{ x=99999999999; }", "2:5: '99999999999' is no number that fits an int"),
        ("C a\n(* open", "2:1: this '(*' is never closed by '*)'"),
        ("C a\n{}\nP0 (int x) {}", "3:9: expected '*': every parameter is a pointer to a shared location, found 'x'"),
        ("C a\n{}\nP0 (int* x) {\n *x = r9;\n}", "4:7: no register 'r9' in this thread; expected a value"),
        ("C a\n{}\nP0 (int* x) {\n lock(x);\n}", "4:2: 'lock' is not a function that is known here"),
        ("C a\n{}\nP0 (int* x) {\n int x = 1;\n}", "4:6: 'x' is a pointer here: write '*x = …;'"),
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

/// The same program, written differently.
#[test]
fn other_spellings_mean_the_same() {
    let plain = ops("int r0 = atomic_load(x); *d = r0;");
    for text in [
        "int r0; r0 = atomic_load(x); *d = r0;",
        "r0 = atomic_load(x); *d = r0;",
        "uint32_t r0 = (int)atomic_load((volatile int *)x); *(d) = (int) r0;",
        "int r0 = atomic_load_explicit(x, memory_order_seq_cst); { *(int *)d = r0; }",
        "\r\n int r0 = atomic_load(x);\r\n\t*d = r0;;",
        "int r0 = atomic_load(&x); (*d) ; *d = r0;",
    ] {
        let found = ops(text);
        let found: Vec<&Op> = found.iter().filter(|op| !matches!(op, Op::Load { order: Order::Plain, .. })).collect();
        assert_eq!(found, plain.iter().collect::<Vec<_>>(), "{text}");
    }
    assert_eq!(ops("int a = 1, b, c = 2;").len(), 2);
    assert_eq!(ops("(void)atomic_fetch_add(x,1);").len(), 1);
    let header =
        "\u{feff}C a\r\n\"what\"\r\nA=b c\r\n{ atomic_t x = ATOMIC_INIT(0x1F); int *y = -3; [z]=2; 0:r0=7; }\r\n";
    let text = format!(
        "{header}static void P0(atomic_int *x, const int* y, volatile _Atomic(int) *z, _Atomic long* w) {{ *z = r0; }}\r\n\
         filter (x=31 /\\ 0:r0=7)\r\nforall 0: r0 = 0x7 /\\ not (w == 1) /\\ *y != -4\r\n(* (* end *) *)\r\n"
    );
    let test = parse("f", &text).unwrap();
    let initial: Vec<i32> = test.locations.iter().map(|place| place.initial).collect();
    assert_eq!((initial, test.keys[0].1.as_str()), (vec![31, -3, 2, 0], "b c"));
    assert_eq!(test.threads[0].body[0], Op::Set { to: Register(0), value: Expression::Constant(7) });
    assert_eq!(test.condition.text, "forall (0:r0=7 /\\ ~([w]=1) /\\ ~([y]=-4))");
    assert_eq!(test.state_text(&[7, 0, 31, -3]), "0:r0=7; [w]=0; [x]=31; [y]=-3;");
    assert!(test.filter.unwrap().holds(&[7, 5, 31, 5]));
}

#[test]
fn the_right_side_of_a_connective_is_read_only_where_the_left_has_not_decided() {
    let found = ops("if (*d == 1 && atomic_load(x) == 2 || 3) { *d = 4; }");
    let [Op::Load { .. }, Op::Set { to, .. }, Op::If { condition, then, otherwise }, Op::If { .. }] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(*condition, Expression::Register(*to));
    assert!(matches!(then[..], [Op::Load { .. }, Op::Set { .. }]) && otherwise.is_empty());
    let found = ops("int r = *d || *d;");
    assert!(
        matches!(&found[2], Op::If { then, otherwise, .. } if then.is_empty() && otherwise.len() == 2),
        "{found:?}"
    );
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

    /// Samples with pieces removed, doubled, swapped and overwritten.
    #[test]
    fn no_mutation_of_a_sample_makes_parser_or_checker_panic(
        which in 0..crate::backend::lab::litmus::library::TESTS.len(),
        changes in prop::collection::vec((any::<u16>(), any::<u16>(), 0..5_u8, "\\PC{0,3}"), 1..6),
    ) {
        let mut text: Vec<char> = crate::backend::lab::litmus::library::TESTS[which].1.chars().collect();
        for (at, length, kind, new) in changes {
            let at = usize::from(at) % (text.len() + 1);
            let end = (at + usize::from(length) % 12).min(text.len());
            match kind {
                0 => drop(text.drain(at..end)),
                1 => { let piece = text[at..end].to_vec(); text.splice(at..at, piece); }
                2 => drop(text.splice(at..end, new.chars())),
                3 => text.truncate(at),
                _ => text[at..end].reverse(),
            }
        }
        let text: String = text.into_iter().collect();
        if let Ok(test) = parse("f", &text) {
            let time = std::time::Duration::from_millis(20);
            let models = crate::backend::lab::litmus::models::MODELS;
            let _ = crate::backend::lab::litmus::check::judge(&test, models, time);
        }
    }
}
