// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.DeviceFeatures;
import io.jvfio.DmaSpace;
import io.jvfio.EehEndpoint;
import io.jvfio.HotResetScope;
import io.jvfio.Interrupts;
import io.jvfio.PciConfigSpace;
import io.jvfio.Region;
import io.jvfio.VfioDevice;
import io.jvfio.user.RegionEvents;
import io.jvfio.user.VfioUserDevice;
import java.util.List;
import java.util.Optional;

/** A device over a connection, and the connection. */
public final class ConnectedUserDevice implements VfioUserDevice {
  private final VfioDevice device;
  private final ClientConnection connection;

  public ConnectedUserDevice(VfioDevice device, ClientConnection connection) {
    this.device = device;
    this.connection = connection;
  }

  @Override
  public RegionEvents ioEventFds(int region) {
    if (connection.isClosing()) {
      throw new IllegalStateException(device.name() + " is closed");
    }
    device.region(region); // which there must be
    return ServerEventFds.ask(connection, region);
  }

  @Override
  public long reconnects() {
    return connection.reconnects();
  }

  @Override
  public String name() {
    return device.name();
  }

  @Override
  public DmaSpace dmaSpace() {
    return device.dmaSpace();
  }

  @Override
  public List<Region> regions() {
    return device.regions();
  }

  @Override
  public Interrupts interrupts() {
    return device.interrupts();
  }

  @Override
  public PciConfigSpace config() {
    return device.config();
  }

  @Override
  public Optional<EehEndpoint> eeh() {
    return device.eeh();
  }

  @Override
  public void enableBusMaster() {
    device.enableBusMaster();
  }

  @Override
  public void disableBusMaster() {
    device.disableBusMaster();
  }

  @Override
  public boolean canReset() {
    return device.canReset();
  }

  @Override
  public void reset() {
    device.reset();
  }

  @Override
  public HotResetScope hotResetScope() {
    return device.hotResetScope();
  }

  @Override
  public void hotReset() {
    device.hotReset();
  }

  @Override
  public DeviceFeatures features() {
    return device.features();
  }

  @Override
  public boolean isClosed() {
    return device.isClosed();
  }

  @Override
  public void close() {
    device.close();
  }

  @Override
  public String toString() {
    return device.toString();
  }
}
