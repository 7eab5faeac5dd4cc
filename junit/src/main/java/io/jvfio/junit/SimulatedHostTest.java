// SPDX-License-Identifier: Apache-2.0
package io.jvfio.junit;

import io.jvfio.linux.Errno;
import io.jvfio.sim.FaultInjector;
import io.jvfio.sim.SimulatedHosts;
import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.TestTemplate;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Marks a test that runs on simulated hosts, once on each, with no hardware and no privilege.
 *
 * <pre>{@code
 * @SimulatedHostTest
 * void readsTheFirstBlock(VfioDevice device) {
 *   assertEquals(0, ReadsBlock.read(device));
 * }
 * }</pre>
 *
 * <p>The test, and methods that run before or after it, may have parameters of these types: {@link
 * io.jvfio.sim.SimulatedHost}, the host itself; {@link io.jvfio.VfioHost}, what a program sees of
 * it; {@link io.jvfio.VfioDevice}, its first device that is bound to vfio, opened with the IOMMU
 * type that works, and closed after the test; {@link FaultInjector}, to have its system calls fail.
 *
 * <p>The test fails if it leaves a descriptor, a mapping, locked memory or an attached group
 * behind, or if a device did DMA to an address that was not mapped for it.
 */
@Documented
@Target({ElementType.METHOD, ElementType.ANNOTATION_TYPE})
@Retention(RetentionPolicy.RUNTIME)
@TestTemplate
@ExtendWith(SimulatedHostExtension.class)
public @interface SimulatedHostTest {
  /**
   * The hosts, by the names that {@link SimulatedHosts#names} has, or as {@code file:PATH} for one
   * that {@code jvfio record-host} has recorded. Without any it is all of them; then a test that
   * wants a {@link io.jvfio.VfioDevice} is aborted on those where no IOMMU type works, and says
   * why.
   */
  String[] value() default {};

  /**
   * System calls that fail each time, as operation and errno: {@code "VFIO_IOMMU_MAP_DMA ENOMEM"}.
   * Operations are named as {@link FaultInjector.Call#operation} names them, and an errno as {@link
   * Errno#symbol} does. They fail from the start: to open a device first, take a {@link
   * FaultInjector}.
   */
  String[] failing() default {};
}
