// Plain scalar C++: Dinitz' buckets over the transit nodes, then one sweep over the links of the leaves; distances and
// predecessors. What a careful hand would write, without vectors: the aim of ours.
#include "peer.hpp"
#include <algorithm>

int main(int argc, char **argv) {
  FileGraph file = readDimacs(argv[1]);
  uint32_t least = UNREACHABLE, most = 1;
  for (const Arc &arc : file.arcs) {
    least = std::min(least, arc.weight);
    most = std::max(most, arc.weight);
  }
  uint32_t shift = 31 - __builtin_clz(least);
  uint32_t count = 1;
  while (count < (most >> shift) + 2) count *= 2;
  // relays to relays, and into each leaf from relays
  Rows ahead(file, false, [&](const Arc &arc) { return file.transit[arc.from] && file.transit[arc.to]; });
  Rows back(file, true, [&](const Arc &arc) { return file.transit[arc.from] && !file.transit[arc.to]; });
  std::vector<uint32_t> leaves;
  for (uint32_t v = 0; v < file.nodes; v++)
    if (!file.transit[v]) leaves.push_back(v);
  std::vector<uint32_t> predecessor(file.nodes);
  std::vector<std::vector<uint32_t>> buckets(count);
  converse(sourcesOf(argc, argv, file), std::string(argv[2]) == "apsp", file.nodes,
           [&](uint32_t source, std::vector<uint32_t> &distance) {
             std::fill(distance.begin(), distance.end(), UNREACHABLE);
             std::fill(predecessor.begin(), predecessor.end(), UNREACHABLE);
             distance[source] = 0;
             buckets[0].push_back(source);
             uint32_t waiting = 1;
             for (uint32_t b = 0; waiting > 0; b++) {
               std::vector<uint32_t> &bucket = buckets[b & (count - 1)];
               for (uint32_t u : bucket) {
                 waiting--;
                 uint32_t base = distance[u];
                 if (base >> shift != b) continue;
                 for (uint32_t k = ahead.start[u]; k < ahead.start[u + 1]; k++) {
                   uint32_t v = ahead.head[k], candidate = base + ahead.weight[k], known = distance[v];
                   if (candidate >= known) continue;
                   distance[v] = candidate;
                   predecessor[v] = u;
                   if (known != UNREACHABLE && known >> shift == candidate >> shift) continue;
                   buckets[(candidate >> shift) & (count - 1)].push_back(v);
                   waiting++;
                 }
               }
               bucket.clear();
             }
             for (uint32_t v : leaves) {
               uint32_t best = UNREACHABLE, before = UNREACHABLE;
               for (uint32_t k = back.start[v]; k < back.start[v + 1]; k++) {
                 uint32_t u = back.head[k];
                 if (distance[u] == UNREACHABLE) continue;
                 uint32_t candidate = distance[u] + back.weight[k];
                 if (candidate < best) {
                   best = candidate;
                   before = u;
                 }
               }
               distance[v] = best;
               predecessor[v] = before;
             }
           });
}
