#!/bin/sh
# The demo's agent: what an AI would do, played from a script. It reads the item
# and the phase from its environment, and writes the result where it is told to.
set -eu

result() { # result [more JSON members]
    printf '{"item_id":"%s","phase":"%s","result":"phase_complete","summary":"%s"%s}\n' \
        "$ORCHESTRATOR_ITEM" "$ORCHESTRATOR_PHASE" "$1" "${2:-}" >"$ORCHESTRATOR_RESULT_FILE"
}

cat >/dev/null # the prompt
echo "working on $ORCHESTRATOR_ITEM: $ORCHESTRATOR_PHASE"

case "$ORCHESTRATOR_ITEM/$ORCHESTRATOR_PHASE" in
WRK-004/triage)
    result "Larger than it looks." ',"updated_assessments":{"size":"medium","complexity":"medium","risk":"high"}'
    ;;
*/triage)
    result "Clear enough to begin." ',"updated_assessments":{"size":"small","complexity":"low","risk":"low"}'
    ;;
WRK-003/build)
    mkdir -p src
    echo "order;date;total" >src/orders.csv
    result "Wrote the export." ',"follow_ups":[{"title":"Escape semicolons in order notes","context":"Notes may hold the separator.","suggested_size":"small","suggested_risk":"low"},"Tell accounting where the file lies"]'
    ;;
*/build)
    mkdir -p src
    echo "$ORCHESTRATOR_ITEM" >"src/$ORCHESTRATOR_ITEM.txt"
    result "Built it."
    ;;
*)
    result "Looked at it: fine."
    ;;
esac
