// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import module io.jvfio.nvme;
import module io.jvfio.sim;

import io.jvfio.linux.Errno;

/**
 * {@code FailsEachCall NAME}: opens an NVMe controller on a simulated host as often as that takes
 * system calls, and has one of them fail each time. So a program is tried against what a kernel can
 * refuse: nothing may stay open.
 */
final class FailsEachCall {
  static void main(String[] arguments) {
    int call = 0;
    while (hasFailed(arguments[0], call)) {
      call++;
    }
    System.out.printf("none of %d failures left anything open%n", call);
  }

  /** Whether there was a call of this number. */
  private static boolean hasFailed(String name, int number) {
    try (var simulated = SimulatedHosts.open(name)) {
      var before = simulated.resources();
      var kernel = new FaultInjector(simulated.kernel()).failCall(number, Errno.ENOMEM);
      var outcome = "all went well";
      try {
        openFirst(VfioHost.of(name, kernel));
      } catch (VfioException e) {
        outcome = e.getMessage();
      }
      if (!simulated.resources().equals(before)) {
        throw new IllegalStateException("%s, but %s".formatted(before, simulated.resources()));
      }
      var failed = kernel.calls().stream().filter(one -> one.injected() != null).findFirst();
      failed.ifPresent(
          one -> System.out.printf("%d: %s %s%n", number, one.operation(), one.subject()));
      System.out.println("   " + outcome);
      return failed.isPresent();
    }
  }

  private static void openFirst(VfioHost host) {
    var nvme = host.devices().stream().filter(one -> one.isBoundToVfio()).findFirst();
    if (nvme.isPresent()) {
      try (var device = host.open(nvme.get().address());
          var controller = NvmeController.open(device)) {
        System.out.println("   opened " + controller.namespace(1));
      }
    }
  }
}
