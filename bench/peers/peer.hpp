// What the C++ peers have in common: the DIMACS file, the checksum of bench/spf/checksum.ts, and the conversation with
// the bench. A peer is started as  PEER FILE TASK SOURCE...  (numbers of the file, from 1). It prints "ready", then for
// each line "round" the milliseconds of each source on one line, and for "finish" the checksum and its peak megabytes.
#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <sys/resource.h>
#include <vector>

constexpr uint32_t UNREACHABLE = 0xffffffffu;

struct Arc {
  uint32_t from, to, weight;
};

// Nodes are numbered from 0 here.
struct FileGraph {
  uint32_t nodes = 0;
  std::vector<Arc> arcs;
  std::vector<char> transit;
};

inline FileGraph readDimacs(const char *file) {
  FILE *in = fopen(file, "r");
  if (in == nullptr) {
    perror(file);
    exit(1);
  }
  FileGraph graph;
  char line[4096];
  bool named = false;
  while (fgets(line, sizeof line, in) != nullptr) {
    unsigned a, b, c;
    if (line[0] == 'a' && sscanf(line, "a %u %u %u", &a, &b, &c) == 3) {
      if (a != b) graph.arcs.push_back({a - 1, b - 1, c});
    } else if (line[0] == 'p' && sscanf(line, "p sp %u %u", &a, &b) == 2) {
      graph.nodes = a;
      graph.arcs.reserve(b);
      graph.transit.assign(a, 1);
    } else if (sscanf(line, "c thalweg transit %u %u", &a, &b) == 2) {
      if (!named) graph.transit.assign(graph.nodes, 0);
      named = true;
      for (unsigned v = a; v <= b; v++) graph.transit[v - 1] = 1;
    }
  }
  fclose(in);
  return graph;
}

// Compressed sparse rows: the arcs leaving (or, turned, entering) each node that `keep` lets through.
struct Rows {
  std::vector<uint32_t> start, head, weight;
  Rows(const FileGraph &graph, bool turned, const std::function<bool(const Arc &)> &keep) : start(graph.nodes + 1) {
    for (const Arc &arc : graph.arcs)
      if (keep(arc)) start[(turned ? arc.to : arc.from) + 1]++;
    for (uint32_t v = 0; v < graph.nodes; v++) start[v + 1] += start[v];
    head.resize(start[graph.nodes]);
    weight.resize(start[graph.nodes]);
    std::vector<uint32_t> next(start.begin(), start.end() - 1);
    for (const Arc &arc : graph.arcs) {
      if (!keep(arc)) continue;
      uint32_t k = next[turned ? arc.to : arc.from]++;
      head[k] = turned ? arc.from : arc.to;
      weight[k] = arc.weight;
    }
  }
};

struct Checksum {
  uint64_t sum = 0;
  void addRow(uint32_t source, const std::vector<uint32_t> &distance) {
    for (uint32_t v = 0; v < distance.size(); v++) {
      uint32_t x = distance[v] ^ ((source + 1) * 0x9E3779B1u) ^ ((v + 1) * 0x85EBCA77u);
      x = (x ^ (x >> 16)) * 0x7FEB352Du;
      x = (x ^ (x >> 15)) * 0x846CA68Bu;
      sum += x ^ (x >> 16);
    }
  }
};

// `search` fills distances (and predecessors of its own) from one source.
inline void converse(const std::vector<uint32_t> &sources, bool allPairs, uint32_t nodes,
                     const std::function<void(uint32_t, std::vector<uint32_t> &)> &search) {
  std::vector<uint32_t> distance(nodes);
  std::string command;
  printf("ready\n");
  fflush(stdout);
  while (std::getline(std::cin, command)) {
    if (command == "round") {
      // as long as bench/spf/timed-sources.ts
      double total = 0;
      do {
        for (uint32_t source : sources) {
          auto begin = std::chrono::steady_clock::now();
          search(source, distance);
          double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
          total += ms;
          if (!allPairs) printf("%.6f ", ms);
        }
      } while (!allPairs && total < 300);
      if (allPairs) printf("%.6f", total);
      printf("\n");
    } else if (command == "finish") {
      Checksum checksum;
      for (uint32_t source : sources) {
        search(source, distance);
        checksum.addRow(source, distance);
      }
      rusage usage;
      getrusage(RUSAGE_SELF, &usage);
      printf("%016llx %ld\n", (unsigned long long)checksum.sum, usage.ru_maxrss / 1024);
    }
    fflush(stdout);
  }
}

inline std::vector<uint32_t> sourcesOf(int argc, char **argv, const FileGraph &graph) {
  std::vector<uint32_t> sources;
  for (int i = 3; i < argc; i++) sources.push_back(atoi(argv[i]) - 1);
  if (std::string(argv[2]) == "apsp")
    for (uint32_t v = 0; v < graph.nodes; v++)
      if (graph.transit[v]) sources.push_back(v);
  return sources;
}
