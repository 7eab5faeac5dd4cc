// SPDX-License-Identifier: Apache-2.0
package io.jvfio.junit;

import static java.util.Objects.requireNonNull;

import io.jvfio.HostDevice;
import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.sim.FaultInjector;
import io.jvfio.sim.Resources;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import java.lang.reflect.Method;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionConfigurationException;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.opentest4j.AssertionFailedError;
import org.opentest4j.TestAbortedException;

/** The host of one run of a test: made before it, and looked at when it has ended. */
final class HostOfATest implements BeforeEachCallback, AfterEachCallback, ParameterResolver {
  private static final Set<Class<?>> TYPES =
      Set.of(SimulatedHost.class, VfioHost.class, VfioDevice.class, FaultInjector.class);

  private final String name;
  private final boolean mayHaveNoIommu;
  private final List<String> failing;

  private @Nullable SimulatedHost simulated;
  private @Nullable FaultInjector injector;
  private @Nullable VfioHost host;
  private @Nullable VfioDevice device;
  private @Nullable Resources before;

  /**
   * A host that is not there yet.
   *
   * @param mayHaveNoIommu whether a test that wants a device is aborted where none can be opened
   * @param failing operations with their errno
   */
  HostOfATest(String name, boolean mayHaveNoIommu, List<String> failing) {
    this.name = name;
    this.mayHaveNoIommu = mayHaveNoIommu;
    this.failing = failing;
  }

  /** What the command calls such a host. */
  static String label(String name) {
    return name.startsWith("file:") ? name : "sim:" + name;
  }

  @Override
  public void beforeEach(ExtensionContext context) {
    var made = SimulatedHosts.open(name);
    simulated = made;
    injector = new FaultInjector(made.kernel());
    host = VfioHost.of(label(name), injector);
    before = made.resources();
    for (var each : failing) {
      int space = each.indexOf(' ');
      var errno = space < 0 ? null : Errno.ofSymbol(each.substring(space + 1)).orElse(null);
      if (errno == null) {
        throw new ExtensionConfigurationException(
            "'%s' is no operation and errno, such as 'VFIO_IOMMU_MAP_DMA ENOMEM'".formatted(each));
      }
      injector.failEvery(each.substring(0, space), errno);
    }
    if (List.of(context.getRequiredTestMethod().getParameterTypes()).contains(VfioDevice.class)) {
      device(); // a test can be aborted here; JUnit takes all that a parameter throws for failures
    }
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    return parameter.getDeclaringExecutable() instanceof Method
        && TYPES.contains(parameter.getParameter().getType());
  }

  @Override
  public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
    var type = parameter.getParameter().getType();
    if (type == SimulatedHost.class) {
      return requireNonNull(simulated);
    }
    if (type == FaultInjector.class) {
      return requireNonNull(injector);
    }
    return type == VfioHost.class ? requireNonNull(host) : device();
  }

  private VfioDevice device() {
    var open = device;
    if (open == null) {
      open = open(requireNonNull(host));
      device = open;
    }
    return open;
  }

  private VfioDevice open(VfioHost host) {
    var first =
        host.devices().stream()
            .filter(HostDevice::isBoundToVfio)
            .findFirst()
            .orElseThrow(() -> new TestAbortedException(host + " has no device bound to vfio"));
    try {
      return host.open(first.address());
    } catch (VfioException e) {
      if (mayHaveNoIommu) {
        throw new TestAbortedException(e.getMessage(), e);
      }
      throw e;
    }
  }

  @Override
  public void afterEach(ExtensionContext context) {
    var made = simulated;
    if (made == null) {
      return;
    }
    try (made) {
      requireNonNull(injector).failNone();
      if (device != null) {
        device.close();
      }
      if (context.getExecutionException().isEmpty()) {
        var after = made.resources();
        if (!after.equals(before)) {
          throw new AssertionFailedError(
              "The test left something of %s open or mapped.".formatted(label(name)),
              before,
              after);
        }
        if (!made.faults().isEmpty()) {
          throw new AssertionFailedError(
              "A device of %s did DMA that its IOMMU stopped: %s"
                  .formatted(label(name), made.faults()));
        }
      }
    }
  }
}
