// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops.check;

import java.util.List;
import java.util.function.Consumer;

/** All checks, in the order in which their findings are read. */
public final class Checks {
  private static final List<Consumer<Examination>> ALL =
      List.of(
          MachineChecks::kernel,
          MachineChecks::platform,
          MachineChecks::container,
          IommuChecks::iommu,
          IommuChecks::interruptRemapping,
          IommuChecks::noIommu,
          ModuleChecks::modules,
          ModuleChecks::nodes,
          IommuChecks::entryLimit,
          MemoryChecks::lockedMemory,
          MemoryChecks::controlGroup,
          MemoryChecks::hugePages,
          GroupChecks::groups,
          DeviceChecks::overrides,
          DeviceChecks::devices,
          IommuChecks::dynamicWindows,
          UseChecks::inUse);

  private Checks() {}

  /** Runs all checks on a host. */
  public static void run(Examination examination) {
    ALL.forEach(check -> check.accept(examination));
  }
}
