//! Names of functions and variables as their author wrote them.
//!
//! ```text
//! _ZN4core3fmt5Write9write_fmt17h0123456789abcdefE    Rust, "legacy": a hash at the end
//! _RNvCs1234_7mycrate3foo                             Rust, "v0"
//! _ZN4bank7Account8transferERS0_                      C++ (Itanium C++ ABI, section 5.1)
//! ```
//!
//! Of C++ neither parameters nor results are shown, and where the name is long
//! what templates are made for is left out: `std::thread::_State_impl<…>::_M_run`.

use cpp_demangle::{BorrowedSymbol, DemangleOptions, DemangleWrite};

/// A name that is longer says less.
const LONG: usize = 80;
/// One that grows beyond this is shown as it is: it may be made to.
const LONGEST: usize = 4 << 10;

/// A symbol as its author wrote it; as it is where no language is known by it.
pub fn readable(symbol: &str) -> String {
    if is_rust(symbol) {
        return format!("{:#}", rustc_demangle::demangle(symbol));
    }
    if symbol.starts_with("_Z")
        && symbol.len() <= LONGEST
        && let Some(name) = cpp(symbol)
    {
        return if name.len() > LONG { without_arguments(&name) } else { name };
    }
    symbol.to_owned()
}

fn is_rust(symbol: &str) -> bool {
    const HASH: usize = 20;
    let own = symbol.split('.').next().unwrap_or(symbol);
    let hash = own.len().checked_sub(HASH).and_then(|at| own.get(at..));
    let hashed = hash.and_then(|hash| hash.strip_prefix("17h")?.strip_suffix('E'));
    symbol.starts_with("_R")
        || symbol.starts_with("_ZN") && hashed.is_some_and(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn cpp(symbol: &str) -> Option<String> {
    // What the compiler has added: a part, a clone.
    let own = symbol.split('.').next().unwrap_or(symbol);
    let parsed = BorrowedSymbol::new(own.as_bytes()).ok()?;
    let options = DemangleOptions::new().no_params().no_return_type();
    let mut name = Bounded(String::new());
    parsed.structured_demangle(&mut name, &options).ok()?;
    Some(name.0)
}

/// Takes no more than [`LONGEST`]: a symbol of few bytes can stand for millions.
struct Bounded(String);

impl DemangleWrite for Bounded {
    fn write_string(&mut self, text: &str) -> std::fmt::Result {
        if self.0.len() + text.len() > LONGEST {
            return Err(std::fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// `map<…>::at` for `map<int, string>::at`; as it is where an operator's name has
/// brackets of its own.
fn without_arguments(name: &str) -> String {
    if name.contains("operator<") || name.contains("operator>") || name.contains("operator-") {
        return name.to_owned();
    }
    let (mut short, mut depth) = (String::new(), 0_usize);
    for letter in name.chars() {
        match letter {
            '<' => {
                if depth == 0 {
                    short.push_str("<…>");
                }
                depth += 1;
            }
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => short.push(letter),
            _ => {}
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_three_manglings_are_told() {
        let names = [
            ("_ZN3std4sync5mutex4lock17h0123456789abcdefE", "std::sync::mutex::lock"),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("_ZN4bank7Account8transferERS0_", "bank::Account::transfer"),
            ("_ZZ4slowvE1s", "slow()::s"),
            ("_ZGVZ4slowvE1s", "guard variable for slow()::s"),
            ("_ZN12_GLOBAL__N_16ledgerE", "(anonymous namespace)::ledger"),
            ("_Z5countILi3EEvv.part.0", "count<3>"),
            ("main", "main"),
            ("_Z", "_Z"),
            ("_ZN", "_ZN"),
            ("__cxa_guard_acquire", "__cxa_guard_acquire"),
        ];
        for (symbol, name) in names {
            assert_eq!(readable(symbol), name, "{symbol}");
        }
    }

    #[test]
    fn what_templates_are_made_for_is_left_out_of_a_long_name() {
        let run = "_ZNSt6thread11_State_implINS_8_InvokerISt5tupleIJM8ExporterFvRKSsEPS3_SsEEEEE6_M_runEv";
        assert_eq!(readable(run), "std::thread::_State_impl<…>::_M_run");
    }

    #[test]
    fn a_name_made_to_grow_is_left_as_it_is() {
        // Each template argument is twice the one before.
        let mut symbol = "_Z1fI1AIS_S_E".to_owned();
        for number in 0..30 {
            symbol += "1AIS";
            symbol += &number.to_string();
            symbol += "_S0_E";
        }
        symbol.push_str("EvT_");
        assert!(readable(&symbol).len() <= LONGEST.max(symbol.len()));
    }
}
