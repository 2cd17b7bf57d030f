// Boost Graph Library: dijkstra_shortest_paths (its d-ary heap) on its compressed_sparse_row_graph, with predecessors.
// Arcs that leave nodes which do not forward are left out: sources are transit nodes, so no path uses them.
#include "peer.hpp"
#include <boost/graph/compressed_sparse_row_graph.hpp>
#include <boost/graph/dijkstra_shortest_paths.hpp>

struct Link {
  uint32_t weight;
};
using Graph = boost::compressed_sparse_row_graph<boost::directedS, boost::no_property, Link, boost::no_property,
                                                 uint32_t, uint32_t>;

int main(int argc, char **argv) {
  FileGraph file = readDimacs(argv[1]);
  std::vector<std::pair<uint32_t, uint32_t>> ends;
  std::vector<Link> links;
  for (const Arc &arc : file.arcs) {
    if (!file.transit[arc.from]) continue;
    ends.emplace_back(arc.from, arc.to);
    links.push_back({arc.weight});
  }
  Graph graph(boost::edges_are_unsorted_multi_pass, ends.begin(), ends.end(), links.begin(), file.nodes);
  std::vector<uint32_t> sources = sourcesOf(argc, argv, file);
  std::vector<uint32_t> predecessor(file.nodes);
  auto id = get(boost::vertex_index, graph);
  converse(sources, std::string(argv[2]) == "apsp", file.nodes, [&](uint32_t source, std::vector<uint32_t> &distance) {
    boost::dijkstra_shortest_paths(
        graph, source,
        boost::weight_map(get(&Link::weight, graph))
            .distance_map(boost::make_iterator_property_map(distance.begin(), id))
            .predecessor_map(boost::make_iterator_property_map(predecessor.begin(), id))
            .distance_inf(UNREACHABLE));
  });
}
