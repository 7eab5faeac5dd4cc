// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.model.DeviceModel;
import java.util.ArrayList;
import java.util.List;
import java.util.StringJoiner;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The options that an {@link NvmeModel} is made with. Immutable; each {@code with} method returns a
 * changed copy. The defaults look like the controller that QEMU emulates.
 */
public final class NvmeModelOptions {
  static final int DOORBELL_PAIRS = 255;

  private static final int MSI_MESSAGES = 32;
  private static final int PAGE_SIZE = 4096;
  private static final int MAX_TRANSFER = 32 << 20;

  private final Settings settings;

  /**
   * The one place that knows all settings, so that a copy can change any of them. Only the {@code
   * with} methods write the fields, each time into a new copy.
   */
  static final class Settings implements Cloneable {
    String serial = "";
    String model = "jvfio NVMe model";
    String firmware = "1.0";
    List<NvmeNamespaceOptions> namespaces = List.of();
    int queueEntries = 2048;
    int queuePairs = 64;
    int maxTransfer = 512 << 10;
    boolean hasWriteCache = true;
    boolean losesPower;
    boolean hasSgl = true;
    boolean hasOptionalCommands = true;
    boolean hasShadowDoorbells = true;
    boolean isPolled;
    boolean hasMsi;

    /** The size in bytes; 0 if there is none. */
    long memoryBufferSize;

    boolean isLegacyMemoryBuffer;
    private @Nullable NvmeFaults faults;
    Kernel kernel = LinuxKernel.instance();
    boolean mayUseRing = true;

    /** The clock and the way to be polled; null for those that {@link #wake} makes. */
    private @Nullable StorageWake wake;

    int vectors() {
      int vectors = queuePairs + 1;
      return hasMsi ? Math.min(Integer.highestOneBit(2 * vectors - 1), MSI_MESSAGES) : vectors;
    }

    /** MDTS: the longest transfer as a power of two of the smallest page. */
    int maxTransferShift() {
      return Integer.numberOfTrailingZeros(maxTransfer / PAGE_SIZE);
    }

    StorageWake wake() {
      return wake == null ? new StorageWake(isPolled) : wake;
    }

    /** The faults given, or some that belong to whoever asks. */
    NvmeFaults faults() {
      return faults == null ? new NvmeFaults() : faults;
    }

    @Override
    public Settings clone() {
      try {
        return (Settings) super.clone();
      } catch (CloneNotSupportedException e) {
        throw new AssertionError(e);
      }
    }
  }

  private NvmeModelOptions(Settings settings) {
    this.settings = settings;
  }

  private NvmeModelOptions with(Consumer<Settings> change) {
    var changed = settings.clone();
    change.accept(changed);
    return new NvmeModelOptions(changed);
  }

  /**
   * A controller with one namespace; {@link #withNamespace} adds more.
   *
   * @param serial the serial number: 1 to 20 printable ASCII characters
   */
  public static NvmeModelOptions of(String serial, NvmeNamespaceOptions namespace) {
    requireText("a serial number", serial, 20);
    var settings = new Settings();
    settings.serial = serial;
    return new NvmeModelOptions(settings).withNamespace(namespace);
  }

  private static void requireText(String what, String text, int longest) {
    if (text.isEmpty()
        || text.length() > longest
        || !text.chars().allMatch(c -> c >= 0x20 && c < 0x7f)) {
      throw new IllegalArgumentException(
          "%s has 1 to %d printable ASCII characters, not '%s'".formatted(what, longest, text));
    }
  }

  private static void require(boolean holds, String complaint) {
    if (!holds) {
      throw new IllegalArgumentException(complaint);
    }
  }

  /** With one more namespace, of the next NSID. */
  public NvmeModelOptions withNamespace(NvmeNamespaceOptions namespace) {
    return with(
        changed -> {
          var namespaces = new ArrayList<>(changed.namespaces);
          namespaces.add(namespace);
          changed.namespaces = List.copyOf(namespaces);
        });
  }

  /**
   * With a model number.
   *
   * @param model 1 to 40 printable ASCII characters
   */
  public NvmeModelOptions withModel(String model) {
    requireText("a model number", model, 40);
    return with(changed -> changed.model = model);
  }

  /**
   * With a firmware revision.
   *
   * @param firmware 1 to 8 printable ASCII characters
   */
  public NvmeModelOptions withFirmware(String firmware) {
    requireText("a firmware revision", firmware, 8);
    return with(changed -> changed.firmware = firmware);
  }

  /**
   * With I/O queues of up to so many entries (CAP.MQES); 2048 by default.
   *
   * @param entries 2 to 65536
   */
  public NvmeModelOptions withQueueEntries(int entries) {
    require(
        entries >= 2 && entries <= 65536,
        "queues of %d entries: not 2 to 65536".formatted(entries));
    return with(changed -> changed.queueEntries = entries);
  }

  /**
   * With so many I/O queue pairs, and an interrupt vector for each and for the admin queue; 64 by
   * default.
   *
   * @param pairs 1 to 255
   */
  public NvmeModelOptions withQueuePairs(int pairs) {
    require(pairs >= 1 && pairs <= DOORBELL_PAIRS, "%d queue pairs: not 1 to 255".formatted(pairs));
    return with(changed -> changed.queuePairs = pairs);
  }

  /**
   * With MSI in the place of MSI-X: at most 32 vectors, which queues can share. For hosts that do
   * badly with MSI-X: QEMU, up to 11.1 at least, aborts when a vfio-user device that has it is
   * unplugged.
   */
  public NvmeModelOptions withMsi() {
    return with(changed -> changed.hasMsi = true);
  }

  /**
   * With transfers of up to so many bytes (MDTS); 512 KiB by default.
   *
   * @param bytes a power of two, 8 KiB to 32 MiB
   */
  public NvmeModelOptions withMaxTransfer(int bytes) {
    require(
        Integer.bitCount(bytes) == 1 && bytes > PAGE_SIZE && bytes <= MAX_TRANSFER,
        "transfers of %d bytes: not a power of two from 8 KiB to 32 MiB".formatted(bytes));
    return with(changed -> changed.maxTransfer = bytes);
  }

  /** Without a volatile write cache: what is completed is persistent, and VWC says so. */
  public NvmeModelOptions withoutWriteCache() {
    return with(changed -> changed.hasWriteCache = false);
  }

  /**
   * With a power supply that can fail: {@link NvmeModel#losePower} drops what was written and not
   * flushed. It costs time and memory for each write.
   */
  public NvmeModelOptions withPowerLoss() {
    return with(changed -> changed.losesPower = true);
  }

  /** Without scatter-gather lists. */
  public NvmeModelOptions withoutSgl() {
    return with(changed -> changed.hasSgl = false);
  }

  /** Without any I/O command that ONCS offers: Flush, Write and Read are left. */
  public NvmeModelOptions withoutOptionalCommands() {
    return with(changed -> changed.hasOptionalCommands = false);
  }

  /** Without Doorbell Buffer Config, and so without shadow doorbells. */
  public NvmeModelOptions withoutShadowDoorbells() {
    return with(changed -> changed.hasShadowDoorbells = false);
  }

  /**
   * With a host that calls {@link DeviceModel#poll} all the time: software with shadow doorbells is
   * told that it need not ring, and nobody asks for a poll when {@code io_uring} has done
   * something. With a host that polls only when it is asked to, commands would be left where they
   * are.
   */
  public NvmeModelOptions withPolling() {
    return with(changed -> changed.isPolled = true);
  }

  /**
   * With a Controller Memory Buffer in BAR 2, for submission and completion queues, lists and data.
   * As of version 1.4, software sees it after it has set CMBMSC.CRE, and chooses the address at
   * which the controller takes it for its own.
   *
   * @param bytes a power of two, 4 KiB to 1 GiB
   */
  public NvmeModelOptions withMemoryBuffer(int bytes) {
    return withMemoryBuffer(bytes, false);
  }

  /**
   * With a Controller Memory Buffer as of version 1.3: always there, at the address of BAR 2;
   * otherwise as {@link #withMemoryBuffer(int)}.
   *
   * @param bytes a power of two, 4 KiB to 1 GiB
   */
  public NvmeModelOptions withLegacyMemoryBuffer(int bytes) {
    return withMemoryBuffer(bytes, true);
  }

  private NvmeModelOptions withMemoryBuffer(int bytes, boolean isLegacy) {
    require(
        Integer.bitCount(bytes) == 1 && bytes >= PAGE_SIZE && bytes <= 1 << 30,
        "a memory buffer of %d bytes: not a power of two from 4 KiB to 1 GiB".formatted(bytes));
    return with(
        changed -> {
          changed.memoryBufferSize = bytes;
          changed.isLegacyMemoryBuffer = isLegacy;
        });
  }

  /** With something to go wrong; {@link NvmeModel#faults} gives it back. */
  public NvmeModelOptions withFaults(NvmeFaults faults) {
    return with(changed -> changed.faults = faults);
  }

  /**
   * With files whose system calls another kernel makes: one that has them fail, for who tests what
   * becomes of that. This machine's by default.
   */
  public NvmeModelOptions withKernel(Kernel kernel) {
    return with(changed -> changed.kernel = kernel);
  }

  /** Without {@code io_uring}: threads make the system calls for files. */
  public NvmeModelOptions withoutRing() {
    return with(changed -> changed.mayUseRing = false);
  }

  /** With another clock, and another way to be polled. */
  NvmeModelOptions withWake(StorageWake wake) {
    return with(changed -> changed.wake = wake);
  }

  /** What they say, for the model itself. */
  Settings settings() {
    return settings;
  }

  @Override
  public String toString() {
    var text = new StringJoiner(", ");
    text.add("serial " + settings.serial).add(settings.model).add("firmware " + settings.firmware);
    text.add("namespaces " + settings.namespaces);
    text.add("%d queue pairs of %,d".formatted(settings.queuePairs, settings.queueEntries));
    text.add("transfers of %,d bytes".formatted(settings.maxTransfer));
    text.add(settings.hasMsi ? "MSI" : "MSI-X");
    add(text, !settings.hasWriteCache, "no write cache");
    add(text, settings.losesPower, "loses power");
    add(text, !settings.hasSgl, "no SGLs");
    add(text, !settings.hasOptionalCommands, "no optional commands");
    add(text, !settings.hasShadowDoorbells, "no shadow doorbells");
    add(text, settings.isPolled, "polled");
    add(
        text,
        settings.memoryBufferSize != 0,
        "memory buffer of %,d bytes".formatted(settings.memoryBufferSize));
    add(text, settings.faults != null, "faults " + settings.faults);
    add(text, !settings.mayUseRing, "no io_uring");
    return text.toString();
  }

  private static void add(StringJoiner text, boolean holds, String setting) {
    if (holds) {
      text.add(setting);
    }
  }
}
