# The cells of results.json (sixproof/results/v2), an object each.
#
#     jq -r -L reports/latest 'include "cells"; cells | select(.state == "must be allowed") | .reason' reports/latest/results.json

def cells:
  . as $run
  | .matrices[] as $matrix
  | $matrix.cells as $column
  | range($column.source // [] | length) as $i
  | $run.endpoints[$column.source[$i]] as $source
  | $run.targets[$column.target[$i]] as $target
  | $run.endpoints[$target.destination] as $destination
  | $run.answers[$column.answer[$i]] as $answer
  | def text($name): $column[$name] | if . == null or .[$i] == null then null else $run.texts[.[$i]] end;
    def named: if $answer.verbatim then . else
        split("<source>") | join($source.name) | split("<destination>") | join($destination.name) end;
  { title: $matrix.title, kind: $matrix.kind, test: $matrix.test,
    source: $source.name, sourceNode: $source.node,
    destination: $destination.name, destinationNode: $destination.node }
  + ($target | del(.destination))
  + $answer
  + { reason: ($answer.reason // "" | named), because: ($answer.because // "" | named),
      waitedMicroseconds: $column.waitedMicroseconds[$i],
      latencyMicroseconds: ($column.latencyMicroseconds // [])[$i],
      peerSaw: text("peerSaw"), peerPort: ($column.peerPort // [])[$i],
      answeredBy: text("answeredBy"), nextHop: text("nextHop"), nonce: ($column.nonce // [])[$i] };
