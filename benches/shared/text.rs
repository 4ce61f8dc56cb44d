//! The backlog that everything is measured with.

/// Makes a backlog of `items` items, about 600 bytes each.
pub(crate) fn backlog(items: usize) -> String {
    let mut text =
        format!("# The backlog of a bench.\nschema_version: 2\nnext_item_id: {items}\nitems:\n");
    for n in 1..=items {
        text.push_str(&format!(
            "  - id: WRK-{n:03}\n    title: Make part {n} of the machine do what it should\n"
        ));
        let status = ["new", "ready", "in_progress", "done"][n % 4];
        text.push_str(&format!(
            "    status: {status}  # by hand\n    size: small\n    complexity: low\n    risk: low\n"
        ));
        text.push_str("    tags: [machine, part]\n");
        if n > 10 && n % 5 == 0 {
            text.push_str(&format!("    dependencies: [WRK-{:03}]\n", n - 7));
        }
        text.push_str("    created: 2026-01-01T00:00:00Z\n    updated: 2026-01-02T00:00:00Z\n");
        let filler = "It has stood still since the last change of its gears, and nobody knows for how long it may yet be kept";
        if n % 3 == 0 {
            text.push_str("    description:\n");
            for part in ["context", "problem", "solution", "impact", "sizing_rationale"] {
                text.push_str(&format!("      {part}: The {part} of part {n}. It has stood still since the last change.\n"));
            }
        } else {
            text.push_str(&format!(
                "    description: |\n      Part {n}. {filler}.\n      {filler}.\n      {filler}.\n"
            ));
        }
    }
    text
}
