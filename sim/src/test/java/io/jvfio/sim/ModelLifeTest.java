// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.model.RegisterMap.Access.READ_WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.jvfio.MigrationState;
import io.jvfio.PciAddress;
import io.jvfio.VfioDevice;
import io.jvfio.VfioHost;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.Registers;
import io.jvfio.model.MigratableModel;
import io.jvfio.model.PciFunction;
import io.jvfio.model.PciModel;
import io.jvfio.model.RefusedAccessException;
import io.jvfio.model.RegisterMap;
import io.jvfio.model.ResetReason;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a host tells a device model besides register accesses. */
@Timeout(120)
class ModelLifeTest {
  private static final String ADDRESS = "0000:00:01.0";
  private static final Duration LONG = Duration.ofMinutes(1);
  private static final int WORK = 0;
  private static final int SCRATCH = 4;

  /** A device with work to do: so many polls, after which it interrupts. */
  private static final class Worker implements PciModel, MigratableModel {
    final List<ResetReason> resets = new CopyOnWriteArrayList<>();
    private long left;

    private final RegisterMap registers =
        RegisterMap.builder("worker", 0x1000)
            .refuseUnmappedWrites()
            .readWrite("work", WORK, 4, () -> left, this::begin)
            .register("scratch", SCRATCH, 4, READ_WRITE, 3)
            .build();

    private final PciFunction function =
        PciFunction.builder(0x1234, 0x5678, 0xff0000).memory(0, registers).express().msi(1).build();

    private void begin(long steps) {
      left = steps;
      function.requestPoll();
      function.requestPoll();
    }

    @Override
    public PciFunction function() {
      return function;
    }

    @Override
    public boolean poll() {
      if (left > 0 && --left == 0) {
        function.signal(0);
      }
      return left > 0;
    }

    @Override
    public void reset(ResetReason reason) {
      resets.add(reason);
      left = 0;
      function.reset();
    }

    @Override
    public byte[] save() {
      return new byte[] {(byte) left};
    }

    @Override
    public void restore(byte[] state) {
      left = state[0];
    }
  }

  private final Worker worker = new Worker();
  private final SimulatedHost host =
      SimulatedHosts.open(
          "x86-6.12",
          HostOptions.defaults()
              .withLockedMemoryLimit(Kernel.NO_LIMIT)
              .withModels(address -> address.equals(ADDRESS) ? worker : null)
              .withMigration(ADDRESS, true, false));

  private final VfioDevice device =
      VfioHost.of(host.name(), host.kernel()).open(PciAddress.parse(ADDRESS));

  private final Registers registers = device.region(0).registers();

  ModelLifeTest() {
    device.enableBusMaster();
  }

  @AfterEach
  void close() {
    registers.close();
    device.close();
    host.close();
  }

  @Test
  void isToldWhyItIsReset() {
    worker.resets.clear();
    registers.write32(SCRATCH, 9);
    device.reset();
    assertThat(registers.read32(SCRATCH)).isEqualTo(3);
    device.config().write16(0x48, 0x8000);
    assertThat(worker.resets)
        .containsExactly(ResetReason.DEVICE_RESET, ResetReason.FUNCTION_LEVEL_RESET);
    worker.resets.clear();
    device.close();
    assertThat(worker.resets).endsWith(ResetReason.CLIENT_LOST);
  }

  @Test
  void isPolledWhenItAsksUntilNothingIsLeft() {
    try (var vectors = device.interrupts().enableMsi(1)) {
      registers.write32(WORK, 1000);
      assertThat(vectors.vector(0).await(LONG)).isEqualTo(1);
      assertThat(registers.read32(WORK)).isZero();
    }
  }

  @Test
  void isNotPolledWhileAMigrationStopsIt() {
    var migration = device.features().migration();
    try (var vectors = device.interrupts().enableMsi(1)) {
      migration.enter(MigrationState.STOP);
      registers.write32(WORK, 5);
      assertThat(vectors.vector(0).await(Duration.ofMillis(20))).isZero();
      assertThat(registers.read32(WORK)).isEqualTo(5);
      migration.enter(MigrationState.RUNNING);
      assertThat(vectors.vector(0).await(LONG)).isEqualTo(1);
    }
  }

  @Test
  void driverHearsOfAWriteThatTheDeviceRefuses() {
    assertThatExceptionOfType(RefusedAccessException.class)
        .isThrownBy(() -> registers.write32(8, 1))
        .withMessageContaining("worker: a write of 4 bytes at 0x8");
    assertThat(registers.read32(8)).isZero();
    registers.write32(SCRATCH, 4);
    assertThat(registers.read32(SCRATCH)).isEqualTo(4);
  }
}
