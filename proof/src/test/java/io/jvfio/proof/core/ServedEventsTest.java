// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.jvfio.PciAddress;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ForwardingKernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.NvmeStatusException;
import io.jvfio.proof.Flight;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import io.jvfio.user.VfioUser;
import io.jvfio.user.VfioUserOptions;
import io.jvfio.user.VfioUserServer;
import io.jvfio.user.VfioUserServerOptions;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a recording says of a disk that fails, and of a server that goes away. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ServedEventsTest {
  @TempDir Path directory;

  /** This machine's kernel, but that no file can be read any more. */
  private static final class Unreadable extends ForwardingKernel {
    volatile boolean fails;

    Unreadable() {
      super(LinuxKernel.instance());
    }

    @Override
    public long preadv(int fd, MemorySegment vectors, int count, long offset) {
      return fails ? Errno.EIO.result() : super.preadv(fd, vectors, count, offset);
    }
  }

  @Test
  void anErrorOfStorageTellsTheCallAndWhatComesOfIt() {
    var file = directory.resolve("disk");
    var kernel = new Unreadable();
    var options =
        NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, 1 << 20))
            .withKernel(kernel)
            .withoutRing();
    var address = PciAddress.parse("0000:00:01.0");
    var models =
        HostOptions.defaults()
            .withModels(each -> each.equals(address.toString()) ? NvmeModel.of(options) : null);
    try (var flight = Flight.bySettings("0 ns");
        var simulated = SimulatedHosts.open("x86-6.12", models)) {
      var host = VfioHost.of("sim", simulated.kernel());
      try (var device = host.open(address);
          var controller = NvmeController.open(device);
          var buffer = device.dmaSpace().allocate(4096)) {
        var namespace = controller.namespace(1);
        namespace.read(8, 2, buffer, 0);
        kernel.fails = true;
        assertThatExceptionOfType(NvmeStatusException.class)
            .isThrownBy(() -> namespace.read(8, 2, buffer, 0));
        var error = Flight.of(flight.end(), "StorageError").getFirst();
        assertThat(error.getString("storage")).isEqualTo(file.toString());
        assertThat(error.getString("operation")).isEqualTo("read");
        assertThat(error.getString("errno")).isEqualTo("EIO");
        assertThat(error.getLong("offset")).isEqualTo(4096);
        assertThat(error.getLong("size")).isEqualTo(1024);
        assertThat(error.getString("meaning")).contains("its data is not there");
      }
    }
  }

  private VfioUserServer serve(Path path) {
    return VfioUserServer.serve(new Bell(2), VfioUserServerOptions.at(path));
  }

  @Test
  void aNewConnectionTellsWhyAndForHowLongThereWasNone() {
    var path = directory.resolve("bell.sock");
    var options = VfioUserOptions.defaults().withReconnect(Duration.ofMinutes(1));
    try (var flight = Flight.bySettings("0 ns")) {
      var first = serve(path);
      VfioUserServer second;
      String name;
      try (var device = VfioUser.open(path, options)) {
        name = device.name();
        first.close();
        second = serve(path);
        assertThat(device.config().read16(0)).isEqualTo(0x1234);
      }
      second.close();
      var event = Flight.of(flight.end(), "UserReconnect").getFirst();
      assertThat(event.getString("server")).isEqualTo(name);
      assertThat(event.getBoolean("connected")).isTrue();
      assertThat(event.getInt("attempts")).isPositive();
      assertThat(event.getString("lost")).contains("The server has closed the connection");
      assertThat(event.getString("failure")).isNull();
      assertThat(event.getDuration()).isPositive();
    }
  }

  @Test
  void aServerThatDoesNotComeBackIsTold() {
    var path = directory.resolve("bell.sock");
    var options = VfioUserOptions.defaults().withReconnect(Duration.ofMillis(50));
    try (var flight = Flight.bySettings("0 ns")) {
      var server = serve(path);
      try (var device = VfioUser.open(path, options)) {
        server.close();
        assertThatExceptionOfType(VfioException.class).isThrownBy(() -> device.config().read16(0));
      }
      var event = Flight.of(flight.end(), "UserReconnect").getFirst();
      assertThat(event.getBoolean("connected")).isFalse();
      assertThat(event.getString("failure")).contains("no new one could be made");
    }
  }
}
