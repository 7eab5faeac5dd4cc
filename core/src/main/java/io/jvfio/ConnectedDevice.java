// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.dma.MappedSpace;
import io.jvfio.iommu.ConnectionDomain;
import io.jvfio.kernel.Cleanup;
import io.jvfio.kernel.ConnectionAnswers;
import io.jvfio.kernel.Explanations;
import io.jvfio.kernel.HostFacts;
import io.jvfio.kernel.OpenFile;
import io.jvfio.spi.DeviceConnection;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;

/** The owner of a device behind a connection, and of the DMA space that it has for itself. */
final class ConnectedDevice implements DeviceOwner {
  private final HostFacts facts;
  private final DeviceConnection connection;
  private final MappedSpace space;
  private final FileDevice device;

  private ConnectedDevice(HostFacts facts, DeviceConnection connection, OpenFile file) {
    this.facts = facts;
    this.connection = connection;
    this.space =
        new MappedSpace(
            facts,
            connection.name(),
            List.of(new ConnectionDomain(connection, file, new Explanations(facts))),
            List.of());
    this.device = FileDevice.alone(facts.kernel(), connection.name(), file, space, this);
  }

  static VfioDevice open(DeviceConnection connection) {
    var kernel = connection.kernel();
    var file =
        new OpenFile(kernel, connection.name(), connection.fd(), new ConnectionAnswers(connection));
    try (var undo = new Cleanup()) {
      undo.add(file::close);
      var owner = new ConnectedDevice(new HostFacts(kernel, Map.of()), connection, file);
      undo.release();
      return owner.device;
    }
  }

  @Override
  public HostFacts facts() {
    return facts;
  }

  @Override
  public boolean isReachable() {
    return connection.isConnected();
  }

  @Override
  public boolean mapsMemory() {
    return true;
  }

  @Override
  public HotReset hotReset(OpenFile file) {
    throw new UnsupportedOperationException(
        connection.name()
            + ": a vfio-user device is on no bus that could be reset; reset() resets the device");
  }

  @Override
  public long writeEach(long offset, MemorySegment source, int width) {
    return connection.writeEach(offset, source, width);
  }

  @Override
  public boolean forget(FileDevice device) {
    return false; // it is closed by close()
  }

  @Override
  public void close() {
    connection.beginClose();
    try (var steps = new Cleanup()) {
      steps.add(space::freeOrphans);
      steps.add(device::release);
      steps.add(space::close);
      steps.add(device::quiesce);
    }
  }
}
