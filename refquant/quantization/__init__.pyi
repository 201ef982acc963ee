"""Names of the package, which are imported when first used."""

from refquant.quantization import (
    fake_quantize as fake_quantize,
)
from refquant.quantization import (
    observer as observer,
)
from refquant.quantization import (
    qconfig as qconfig,
)
from refquant.quantization.calibration import (
    calibrate as calibrate,
)
from refquant.quantization.conversion import (
    convert as convert,
)
from refquant.quantization.conversion import (
    swap_module as swap_module,
)
from refquant.quantization.fake_quantize import (
    FakeQuantize as FakeQuantize,
)
from refquant.quantization.fake_quantize import (
    default_fake_quant as default_fake_quant,
)
from refquant.quantization.fake_quantize import (
    default_histogram_fake_quant as default_histogram_fake_quant,
)
from refquant.quantization.fake_quantize import (
    default_per_channel_weight_fake_quant as default_per_channel_weight_fake_quant,
)
from refquant.quantization.fake_quantize import (
    default_weight_fake_quant as default_weight_fake_quant,
)
from refquant.quantization.fake_quantize import (
    disable_fake_quant as disable_fake_quant,
)
from refquant.quantization.fake_quantize import (
    disable_observer as disable_observer,
)
from refquant.quantization.fake_quantize import (
    enable_fake_quant as enable_fake_quant,
)
from refquant.quantization.fake_quantize import (
    enable_observer as enable_observer,
)
from refquant.quantization.fusion import (
    fuse_known_modules as fuse_known_modules,
)
from refquant.quantization.fusion import (
    fuse_modules as fuse_modules,
)
from refquant.quantization.inspection import (
    get_observer_dict as get_observer_dict,
)
from refquant.quantization.inspection import (
    summary as summary,
)
from refquant.quantization.mappings import (
    DEFAULT_DYNAMIC_MODULE_MAPPING as DEFAULT_DYNAMIC_MODULE_MAPPING,
)
from refquant.quantization.mappings import (
    DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS as DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS,
)
from refquant.quantization.mappings import (
    DEFAULT_MODULE_MAPPING as DEFAULT_MODULE_MAPPING,
)
from refquant.quantization.mappings import (
    DEFAULT_QAT_MODULE_MAPPING as DEFAULT_QAT_MODULE_MAPPING,
)
from refquant.quantization.mappings import (
    DEFAULT_QAT_MODULE_MAPPINGS as DEFAULT_QAT_MODULE_MAPPINGS,
)
from refquant.quantization.mappings import (
    DEFAULT_STATIC_QUANT_MODULE_MAPPINGS as DEFAULT_STATIC_QUANT_MODULE_MAPPINGS,
)
from refquant.quantization.mappings import (
    get_default_compare_output_module_list as get_default_compare_output_module_list,
)
from refquant.quantization.mappings import (
    get_default_dynamic_quant_module_mappings as get_default_dynamic_quant_module_mappings,
)
from refquant.quantization.mappings import (
    get_default_qat_module_mappings as get_default_qat_module_mappings,
)
from refquant.quantization.mappings import (
    get_default_qconfig_propagation_list as get_default_qconfig_propagation_list,
)
from refquant.quantization.mappings import (
    get_default_static_quant_module_mappings as get_default_static_quant_module_mappings,
)
from refquant.quantization.mappings import (
    get_default_static_quant_reference_module_mappings as get_default_static_quant_reference_module_mappings,  # noqa: E501
)
from refquant.quantization.mappings import (
    get_dynamic_quant_module_class as get_dynamic_quant_module_class,
)
from refquant.quantization.mappings import (
    get_static_quant_module_class as get_static_quant_module_class,
)
from refquant.quantization.mappings import (
    no_observer_set as no_observer_set,
)
from refquant.quantization.observers.base import (
    Observer as Observer,
)
from refquant.quantization.observers.base import (
    ObserverBase as ObserverBase,
)
from refquant.quantization.observers.defaults import (
    default_debug_observer as default_debug_observer,
)
from refquant.quantization.observers.defaults import (
    default_histogram_observer as default_histogram_observer,
)
from refquant.quantization.observers.defaults import (
    default_observer as default_observer,
)
from refquant.quantization.observers.defaults import (
    default_per_channel_weight_observer as default_per_channel_weight_observer,
)
from refquant.quantization.observers.defaults import (
    default_weight_observer as default_weight_observer,
)
from refquant.quantization.observers.histogram import (
    HistogramObserver as HistogramObserver,
)
from refquant.quantization.observers.minmax import (
    MinMaxObserver as MinMaxObserver,
)
from refquant.quantization.observers.moving_average import (
    MovingAverageMinMaxObserver as MovingAverageMinMaxObserver,
)
from refquant.quantization.observers.moving_average import (
    MovingAveragePerChannelMinMaxObserver as MovingAveragePerChannelMinMaxObserver,
)
from refquant.quantization.observers.noop import (
    NoopObserver as NoopObserver,
)
from refquant.quantization.observers.per_channel import (
    PerChannelMinMaxObserver as PerChannelMinMaxObserver,
)
from refquant.quantization.observers.recording import (
    RecordingObserver as RecordingObserver,
)
from refquant.quantization.preparation import (
    add_observer_ as add_observer_,
)
from refquant.quantization.preparation import (
    get_default_custom_config_dict as get_default_custom_config_dict,
)
from refquant.quantization.preparation import (
    prepare as prepare,
)
from refquant.quantization.preparation import (
    prepare_qat as prepare_qat,
)
from refquant.quantization.propagation import (
    propagate_qconfig_ as propagate_qconfig_,
)
from refquant.quantization.qconfig import (
    QConfig as QConfig,
)
from refquant.quantization.qconfig import (
    QConfigDynamic as QConfigDynamic,
)
from refquant.quantization.qconfig import (
    default_activation_only_qconfig as default_activation_only_qconfig,
)
from refquant.quantization.qconfig import (
    default_debug_qconfig as default_debug_qconfig,
)
from refquant.quantization.qconfig import (
    default_dynamic_qconfig as default_dynamic_qconfig,
)
from refquant.quantization.qconfig import (
    default_per_channel_qconfig as default_per_channel_qconfig,
)
from refquant.quantization.qconfig import (
    default_qat_qconfig as default_qat_qconfig,
)
from refquant.quantization.qconfig import (
    default_qconfig as default_qconfig,
)
from refquant.quantization.qconfig import (
    default_weight_only_qconfig as default_weight_only_qconfig,
)
from refquant.quantization.qconfig import (
    float16_dynamic_qconfig as float16_dynamic_qconfig,
)
from refquant.quantization.qconfig import (
    get_default_qat_qconfig as get_default_qat_qconfig,
)
from refquant.quantization.qconfig import (
    get_default_qconfig as get_default_qconfig,
)
from refquant.quantization.qconfig import (
    per_channel_dynamic_qconfig as per_channel_dynamic_qconfig,
)
from refquant.quantization.quantize_model import (
    default_eval_fn as default_eval_fn,
)
from refquant.quantization.quantize_model import (
    quantize as quantize,
)
from refquant.quantization.quantize_model import (
    quantize_dynamic as quantize_dynamic,
)
from refquant.quantization.quantize_model import (
    quantize_qat as quantize_qat,
)
from refquant.quantization.stubs import (
    DeQuantStub as DeQuantStub,
)
from refquant.quantization.stubs import (
    QuantStub as QuantStub,
)
from refquant.quantization.stubs import (
    QuantWrapper as QuantWrapper,
)
from refquant.quantization.stubs import (
    add_quant_dequant as add_quant_dequant,
)
