// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Operand.memory;
import static io.jvfio.lab.Operand.number;
import static io.jvfio.lab.Steps.sequence;

import io.jvfio.linux.uapi.Vfio;
import java.util.List;

/**
 * What a user without capabilities gets who may lock 64 KiB. None of these reaches a hypervisor
 * without Dynamic DMA Windows, so they neither mind a poisoned device nor poison one.
 */
final class UnprivilegedSequences {
  private static final long KIB = 1 << 10;
  private static final long MIB = 1 << 20;
  private static final long PAGE = 4 * KIB;

  private UnprivilegedSequences() {}

  static List<Sequence> type1(String name, int type) {
    return List.of(
        sequence(
            name + "-limit",
            s ->
                s.ready(type)
                    .memory("m", MIB)
                    .map(memory("m"), 0, 128 * KIB)
                    .map(memory("m"), 0, 68 * KIB)
                    .map(memory("m"), 0, 64 * KIB)
                    .map(memory("m"), MIB, PAGE)
                    .unmap(0, 64 * KIB)
                    .map(memory("m"), MIB, PAGE)
                    .map(memory("m"), 2 * MIB, 60 * KIB)
                    .map(memory("m"), 4 * MIB, PAGE)
                    .unmap(0, 8 * MIB)),
        sequence(
            name + "-limit-is-of-the-process",
            s ->
                s.ready(type)
                    .container("c1")
                    .group("g1", 1)
                    .setContainer("g1", "c1")
                    .setIommu("c1", type)
                    .memory("m", MIB)
                    .map(memory("m"), 0, 64 * KIB)
                    .map("c1", memory("m"), number(0), PAGE, Steps.READ_WRITE, 32)
                    .unsetContainer("g0")
                    .map("c1", memory("m"), number(0), PAGE, Steps.READ_WRITE, 32)),
        sequence(
            name + "-limit-when-a-group-joins",
            s ->
                s.ready(type)
                    .memory("m", MIB)
                    .map(memory("m"), 0, 64 * KIB)
                    .group("g1", 1)
                    .setContainer("g1", "c")
                    .unmap(0, 64 * KIB)));
  }

  static List<Sequence> spaprV1() {
    return List.of(
        sequence(
            "spapr-v1-limit",
            s ->
                s.ready(Vfio.VFIO_SPAPR_TCE_IOMMU)
                    .spaprInfo("c")
                    .memory("m", MIB)
                    .enable("c")
                    .enable("c")
                    .map(memory("m"), 0, PAGE)
                    .disable("c")));
  }

  static List<Sequence> spaprV2() {
    return List.of(
        sequence(
            "spapr-v2-limit",
            s ->
                s.ready(Vfio.VFIO_SPAPR_TCE_v2_IOMMU)
                    .spaprInfo("c")
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .map(memory("m"), 0, PAGE)
                    .register(memory("m"), 68 * KIB)
                    .register(memory("m"), 64 * KIB)
                    .register(memory("m", 64 * KIB), PAGE)
                    .map(memory("m"), 0, PAGE)
                    .unmap(0, PAGE)
                    .createWindow("w", 16, 1 << 30, 1)
                    .removeWindow(number(0))
                    .map(memory("m"), 0, PAGE)
                    .createWindow("w", 12, 1 << 30, 1)
                    .unregister(memory("m"), 64 * KIB)
                    .register(memory("m"), PAGE)
                    .unregister(memory("m"), PAGE)));
  }
}
