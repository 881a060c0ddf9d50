use std::sync::atomic::Ordering;

use super::*;
use crate::backend::lab::litmus::ast::Test;
use crate::backend::lab::litmus::parse::parse;

fn test(statements: &str) -> Test {
    let text = format!("C t\n{{}}\nP0 (atomic_int* x, int* d) {{\n{statements}\n}}\nexists (x=0)\n");
    parse("t", &text).unwrap()
}

fn assembled(architecture: Architecture, test: &Test) -> MachineCode {
    let thread = &test.threads[0];
    let outputs: Vec<Register> = (0..thread.registers.len()).map(Register).collect();
    let body =
        Body { ops: &thread.body, registers: thread.registers.len(), outputs: &outputs, spacing: 1, stride: 2 * LINE };
    assemble(architecture, &body).unwrap()
}

/// Runs the statements once, alone, with `x` and `d` as given; all registers
/// by name and what is in `x` and `d` afterwards.
fn run(statements: &str, x: i32, d: i32) -> (Vec<(String, i32)>, i32, i32) {
    let test = test(statements);
    let registers = &test.threads[0].registers;
    let outputs: Vec<Register> = (0..registers.len()).map(Register).collect();
    let body = Body {
        ops: &test.threads[0].body,
        registers: registers.len(),
        outputs: &outputs,
        spacing: 1,
        stride: 2 * LINE,
    };
    let code = Runnable::new(&body, 2).unwrap();
    // Two instances, to see that the second is found; poisoned outputs.
    let memory: Vec<Line> = [x, d, x, d].map(|value| Line { value: value.into() }).into();
    let out: Vec<AtomicI32> = (0..=2 * registers.len()).map(|_| 0x5555.into()).collect();
    code.run(&memory, &out, 2, 1);
    let out: Vec<i32> = out.into_iter().map(AtomicI32::into_inner).collect();
    let memory: Vec<i32> = memory.into_iter().map(|line| line.value.into_inner()).collect();
    assert_eq!(out[2 * registers.len()], 0x5555, "nothing is written behind the outputs");
    let (first, second) = out.split_at(registers.len());
    assert_eq!(first, &second[..registers.len()], "{statements}");
    assert_eq!(memory[..2], memory[2..], "{statements}");
    let named = registers.iter().cloned().zip(first.iter().copied()).collect();
    (named, memory[0], memory[1])
}

fn register(statements: &str, name: &str, x: i32, d: i32) -> i32 {
    run(statements, x, d).0.into_iter().find(|(register, _)| register == name).unwrap().1
}

const RMW_ORDERS: [&str; 5] = ["relaxed", "acquire", "release", "acq_rel", "seq_cst"];

#[test]
fn every_access_in_every_order_does_what_it_says() {
    for order in ["relaxed", "acquire", "seq_cst"] {
        let load = format!("int r = atomic_load_explicit(x,memory_order_{order});");
        assert_eq!(register(&load, "r", -7, 0), -7);
    }
    for order in ["relaxed", "release", "seq_cst"] {
        for (value, stored) in [("42", 42), ("r0", 3), ("r0 + 1", 4)] {
            let store = format!("int r0 = 3; atomic_store_explicit(x,{value},memory_order_{order});");
            assert_eq!(run(&store, 9, 5), (vec![("r0".to_owned(), 3)], stored, 5));
        }
    }
    for (name, result) in
        [("exchange", 6), ("fetch_add", 18), ("fetch_sub", 6), ("fetch_and", 4), ("fetch_or", 14), ("fetch_xor", 10)]
    {
        for order in RMW_ORDERS {
            let text = format!("int r = atomic_{name}_explicit(x,6,memory_order_{order});");
            let (registers, x, d) = run(&text, 12, 5);
            assert_eq!((registers[0].1, x, d), (12, result, 5), "{text}");
        }
    }
    for order in RMW_ORDERS {
        let fence = format!("int r = *d; atomic_thread_fence(memory_order_{order}); *d = r + 1;");
        assert_eq!(run(&fence, 0, 5).2, 6);
    }
}

#[test]
fn compare_exchange_succeeds_and_fails_alone() {
    for kind in ["strong", "weak"] {
        for order in RMW_ORDERS {
            for failure in ["relaxed", "acquire", "seq_cst"] {
                let text = format!(
                    "int r = atomic_compare_exchange_{kind}_explicit(x,d,9,memory_order_{order},memory_order_{failure});"
                );
                assert_eq!((register(&text, "r", 4, 4), run(&text, 4, 4).1, run(&text, 4, 4).2), (1, 9, 4), "{text}");
                assert_eq!((register(&text, "r", 4, 5), run(&text, 4, 5).1, run(&text, 4, 5).2), (0, 4, 4), "{text}");
            }
        }
    }
}

#[test]
fn expressions_give_what_the_checker_computes() {
    for text in [
        "r0 + r1 * 3 - (r0 - (r1 - (r0 + r1)))",
        "(r0 ^ r1) | (r0 & 12)",
        "!r0 + !(r0 - r0)",
        "(r0 < r1) + 2 * (r0 <= r1) + 4 * (r0 > r1) + 8 * (r0 >= r1) + 16 * (r0 == r1) + 32 * (r0 != r1)",
        "-r0 * ~r1",
        "2147483647 + r0",
        "(r0 && r1) || !r1",
        "((r0 + 1) * (r1 + 2)) - ((r0 - 3) * ((r1 - 4) * (r0 + 5)))",
    ] {
        for (a, b) in [(0, 0), (5, -3), (-3, 5), (i32::MAX, i32::MIN), (7, 7)] {
            let statements = format!("int r0 = *d; int r1 = atomic_load(x); int r2 = {text};");
            let program = test(&statements);
            let Some(Op::Set { value, .. }) = program.threads[0].body.last() else { panic!("{program:?}") };
            let expected = value.evaluate(&|register| if register.0 == 0 { a } else { b });
            assert_eq!(register(&statements, "r2", b, a), expected, "{text} with {a} and {b}");
        }
    }
}

#[test]
fn branches_and_registers_that_are_not_assigned() {
    let text = "int r0 = *d; int r1; if (r0 == 1) { r1 = 5; *d = 2; } else if (r0 == 2) { *d = 3; } int r2 = r1 + 1;";
    assert_eq!((register(text, "r1", 0, 1), register(text, "r2", 0, 1), run(text, 0, 1).2), (5, 6, 2));
    assert_eq!((register(text, "r1", 0, 2), register(text, "r2", 0, 2), run(text, 0, 2).2), (0, 1, 3));
    assert_eq!((register(text, "r1", 0, 7), register(text, "r2", 0, 7), run(text, 0, 7).2), (0, 1, 7));
}

#[test]
fn registers_beyond_the_machines_are_kept_on_the_stack() {
    let set = (0..20).map(|n| format!("int r{n} = {n} + r;")).collect::<Vec<_>>().concat();
    let sum: Vec<String> = (0..20).map(|n| format!("r{n}")).collect();
    let text = format!(
        "int r = atomic_load(x); {set} int e = 4; int s = {}; *d = r19; int l = *d; int f = atomic_fetch_add(x, r18); \
         int g = atomic_compare_exchange_strong(x, &e, r17); if (l) {{ int late = r16; }}",
        sum.join(" + ")
    );
    let sums = 20 * 2 + 190;
    assert_eq!(register(&text, "s", 2, 0), sums);
    assert_eq!((register(&text, "l", 2, 0), register(&text, "f", 2, 0), run(&text, 2, 0).1), (21, 2, 22));
    assert_eq!((register(&text, "g", 2, 0), register(&text, "e", 2, 0), register(&text, "late", 2, 0)), (0, 22, 18));
}

#[test]
fn the_mapping_is_the_one_that_is_told() {
    let text = "atomic_store_explicit(x,1,memory_order_release); atomic_store(x,2); atomic_thread_fence(memory_order_seq_cst); \
                atomic_thread_fence(memory_order_acquire); int r0 = atomic_load_explicit(x,memory_order_acquire); int r1 = *d;";
    let body = |architecture| -> Vec<String> {
        assembled(architecture, &test(text)).listing.into_iter().filter(|i| i.body).map(|i| i.text).collect()
    };
    assert_eq!(
        body(Architecture::X86_64),
        ["mov dword [rdi+0], 1", "mov eax, 2", "xchg [rdi+0], eax", "mfence", "mov ebx, [rdi+0]", "mov ebp, [rdi+64]"]
    );
    assert_eq!(
        body(Architecture::Aarch64),
        [
            "movz w9, 0x1",
            "add x11, x0, 0",
            "stlr w9, [x11]",
            "movz w9, 0x2",
            "add x11, x0, 0",
            "stlr w9, [x11]",
            "dmb ish",
            "dmb ishld",
            "add x11, x0, 0",
            "ldar w4, [x11]",
            "ldr w5, [x0, 64]",
        ]
    );
}

/// A program that uses every instruction the assemblers know.
fn everything() -> Test {
    let set = (0..12).map(|n| format!("int r{n} = r + {n};")).collect::<Vec<_>>().concat();
    test(&format!(
        "int r = atomic_load(x); {set} *d = 70000; *d = r0; *d = r11; atomic_store(x, r11); int i = r11 * (r0 - r11) * 5; \
         int a = (r1 & r2) + (r1 | r2) + (r1 ^ 3) + !r1; int c = (r1 < r2) + (r1 <= r2) + (r1 > r2) + (r1 >= r2) + (r1 == r2) + (r1 != r2); \
         int u; if (r1) {{ u = atomic_exchange(x,1); }} else {{ u = atomic_fetch_add_explicit(x,2,memory_order_relaxed); }} \
         atomic_fetch_sub(x,1); atomic_fetch_and(x,7); atomic_fetch_or(x,8); atomic_fetch_xor(x,9); \
         int e = 1; int s = atomic_compare_exchange_strong(x,&e,2); atomic_thread_fence(memory_order_seq_cst); \
         atomic_thread_fence(memory_order_acquire); int p = *d;"
    ))
}

/// The listing against an independent disassembler, where there is one here.
#[test]
fn the_listing_says_what_the_bytes_are() {
    for (architecture, triple) in [(Architecture::X86_64, "x86_64"), (Architecture::Aarch64, "aarch64")] {
        let code = assembled(architecture, &everything());
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("code.s");
        let line = |instruction: &Instruction| match <[u8; 4]>::try_from(instruction.bytes.as_slice()) {
            // AArch64 takes plain bytes for data.
            Ok(word) if triple == "aarch64" => format!(".inst {}\n", u32::from_le_bytes(word)),
            _ => {
                let bytes: Vec<String> = instruction.bytes.iter().map(ToString::to_string).collect();
                format!(".byte {}\n", bytes.join(","))
            }
        };
        let text = code.listing.iter().map(line).collect::<Vec<_>>().concat();
        std::fs::write(&source, text).unwrap();
        let object = directory.path().join("code.o");
        let made = std::process::Command::new("llvm-mc")
            .args(["-filetype=obj", &format!("-triple={triple}-linux-gnu"), "-o"])
            .arg(&object)
            .arg(&source)
            .status();
        if !made.is_ok_and(|status| status.success()) {
            println!("skipped: no llvm-mc here to disassemble with");
            return;
        }
        let output = std::process::Command::new("llvm-objdump")
            .args(["-d", "--no-show-raw-insn", "--x86-asm-syntax=intel"])
            .arg(&object)
            .output()
            .unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        let theirs: Vec<String> = shown
            .lines()
            .filter_map(|line| line.split_once(":\t").or(line.split_once(": ")))
            .filter(|(offset, _)| usize::from_str_radix(offset.trim(), 16).is_ok())
            .map(|(_, text)| plain(text))
            .collect();
        let ours: Vec<String> = code.listing.iter().map(|i| plain(&i.text)).collect();
        // Theirs shows the lock prefix on a line of its own.
        assert_eq!(ours.join("; "), theirs.join("; ").replace("lock; ", "lock "));
    }
}

/// One spelling for what two disassemblers write in different ways.
fn plain(text: &str) -> String {
    let text = text.split('<').next().unwrap_or_default().replace("dword ptr ", "").replace("dword ", "");
    let text =
        text.replace(['#', ','], " ").replace("+0]", "]").replace("  0]", "]").replace(" + ", "+").replace(" - ", "-");
    let words: Vec<String> = text
        .split_whitespace()
        .map(|word| {
            let number = word.strip_prefix("0x").and_then(|digits| i64::from_str_radix(digits, 16).ok());
            let word = number.map_or(word.to_owned(), |number| number.to_string());
            word.replace("jz", "je").replace("jnz", "jne").replace("movz", "mov")
        })
        .collect();
    words.join(" ")
}

/// What the assembler for this machine and compiled code leave behind is the same.
#[test]
fn compiled_code_does_what_machine_code_does() {
    let text = "C t\n{ x=3; }\nP0 (atomic_int* x, atomic_int* y, int* d) {\n\
        int a = atomic_fetch_add(x, 2); int b = atomic_exchange_explicit(y, a + 4, memory_order_acq_rel);\n\
        int c = atomic_fetch_xor(x, 9); int e = 5; int f = atomic_compare_exchange_strong(y, &e, 7);\n\
        if (f) { *d = c - 1; } else { *d = !c; } atomic_thread_fence(memory_order_seq_cst);\n\
        int g = atomic_load_explicit(x, memory_order_acquire); atomic_fetch_sub(x, 1); atomic_fetch_and(x, 14);\n\
        atomic_fetch_or_explicit(y, 16, memory_order_release); int h = *d * 3; atomic_store(y, h); }\nexists (x=0)";
    let test = parse("t", text).unwrap();
    let thread = &test.threads[0];
    let outputs: Vec<Register> = (0..thread.registers.len()).map(Register).collect();
    let body =
        Body { ops: &thread.body, registers: thread.registers.len(), outputs: &outputs, spacing: 2, stride: 7 * LINE };
    let run = |runnable: &Runnable| {
        let memory: Vec<Line> = std::iter::repeat_with(Line::default).take(7 * 3).collect();
        for line in &memory {
            line.value.store(3, Ordering::Relaxed);
        }
        let out: Vec<AtomicI32> = std::iter::repeat_with(AtomicI32::default).take(3 * outputs.len()).collect();
        runnable.run(&memory, &out, 3, 1);
        let values = |cells: &mut dyn Iterator<Item = &AtomicI32>| -> Vec<i32> {
            cells.map(|cell| cell.load(Ordering::Relaxed)).collect()
        };
        (values(&mut memory.iter().map(|line| &line.value)), values(&mut out.iter()))
    };
    let compiled = run(&Runnable::compiled(&body, 3));
    assert!(compiled.0.iter().any(|value| *value != 3));
    if Architecture::host().is_ok() {
        assert_eq!(run(&Runnable::new(&body, 3).unwrap()), compiled);
    }
}
